import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** out = (x − mean(x)) / √(var(x) + ε) · weight + bias (Ba et al. 2016). x: [rows, width], weight, bias: [width]. */
export const layerNorm = defineOp<"x" | "weight" | "bias", "out", "mean" | "inverseDeviation", { epsilon: number }>({
  name: "layerNorm",
  inputs: ["x", "weight", "bias"],
  forward(context, { x, weight, bias }, { epsilon }) {
    const out = context.allocate(x.shape);
    const [mean, inverseDeviation] = [context.allocate([rowsOf(x)]), context.allocate([rowsOf(x)])];
    context.backend.kernels.layerNorm({ out, mean, inverseDeviation, x, weight, bias, epsilon });
    return { outputs: { out }, saved: { mean, inverseDeviation } };
  },
  backward(context, gradients, { inputs: { x, weight }, saved }, _options, sink) {
    const xGradient = context.allocate(x.shape);
    sink.accumulateOrScratch("weight", (weightGradient) =>
      sink.accumulateOrScratch("bias", (biasGradient) =>
        context.backend.kernels.layerNormBackward({
          ...{ xGradient, weightGradient, biasGradient, gradient: gradients.out!, x, weight },
          ...{ mean: saved.mean!, inverseDeviation: saved.inverseDeviation! },
        }),
      ),
    );
    sink.pass("x", xGradient);
  },
});
