import type { Kernels } from "../../backend.ts";
import { floats } from "./memory.ts";

export const optimizers: Pick<Kernels, "adamW"> = {
  adamW(tensors, { learningRate, beta1, beta2, epsilon, weightDecay, step, maximumNorm }) {
    const norm = floats(tensors.gradientNorm, "adamW: gradientNorm")[0];
    if (!Number.isFinite(norm)) return;
    const clip = norm > maximumNorm ? maximumNorm / norm : 1;
    const parameters = floats(tensors.parameters, "adamW: parameters");
    const gradients = floats(tensors.gradients, "adamW: gradients");
    const first = floats(tensors.firstMoment, "adamW: firstMoment");
    const second = floats(tensors.secondMoment, "adamW: secondMoment");
    const firstCorrection = 1 - beta1 ** step;
    const secondCorrection = 1 - beta2 ** step;
    for (let i = 0; i < parameters.length; i++) {
      const gradient = gradients[i] * clip;
      first[i] = beta1 * first[i] + (1 - beta1) * gradient;
      second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient;
      const denominator = Math.sqrt(second[i] / secondCorrection) + epsilon;
      const decayed = parameters[i] * (1 - learningRate * weightDecay);
      parameters[i] = decayed - (learningRate * (first[i] / firstCorrection)) / denominator;
    }
  },
};
