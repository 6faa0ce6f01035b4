import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";

export const layerNorms: Pick<Kernels, "layerNorm" | "layerNormBackward"> = {
  layerNorm({ out, mean, inverseDeviation, x, weight, bias, delta, sum, epsilon }) {
    const [rows, width] = [rowsOf(x), widthOf(x)];
    requireMatrix(out, rows, width, "layerNorm: out");
    const [to, from] = [floats(out, "layerNorm: out"), floats(x, "layerNorm: x")];
    const [scale, shift] = [floats(weight, "layerNorm: weight"), floats(bias, "layerNorm: bias")];
    const [means, inverses] = [floats(mean, "layerNorm: mean"), floats(inverseDeviation, "layerNorm: deviation")];
    const added = delta && floats(delta, "layerNorm: delta");
    const total = sum && floats(sum, "layerNorm: sum");
    const row = new Float32Array(width);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) row[i] = from[r * width + i] + (added ? added[r * width + i] : 0);
      total?.set(row, r * width);
      const middle = row.reduce((a, b) => a + b, 0) / width;
      const variance = row.reduce((a, b) => a + (b - middle) ** 2, 0) / width;
      means[r] = middle;
      inverses[r] = 1 / Math.sqrt(variance + epsilon);
      for (let i = 0; i < width; i++) to[r * width + i] = (row[i] - middle) * inverses[r] * scale[i] + shift[i];
    }
  },

  // With n the normalised row and h = gradient · weight: ∂/∂s = inverse · (h − mean(h) − n · mean(h · n)).
  layerNormBackward(tensors) {
    const { xGradient, weightGradient, biasGradient, gradient, x, weight, mean, inverseDeviation } = tensors;
    const [rows, width] = [rowsOf(x), widthOf(x)];
    requireMatrix(gradient, rows, width, "layerNormBackward: gradient");
    requireMatrix(xGradient, rows, width, "layerNormBackward: xGradient");
    const [to, upstream] = [floats(xGradient, "layerNormBackward: out"), floats(gradient, "layerNormBackward")];
    const [weightTo, biasTo] = [weightGradient, biasGradient].map((one) => floats(one, "layerNormBackward: weight"));
    const [from, scale] = [floats(x, "layerNormBackward: x"), floats(weight, "layerNormBackward: weight")];
    const [means, inverses] = [mean, inverseDeviation].map((one) => floats(one, "layerNormBackward: statistics"));
    const residual = tensors.residualGradient && floats(tensors.residualGradient, "layerNormBackward: residual");
    const [weightSums, biasSums] = [new Float64Array(width), new Float64Array(width)];
    for (let r = 0; r < rows; r++) {
      const normalized = (i: number) => (from[r * width + i] - means[r]) * inverses[r];
      let [away, along] = [0, 0];
      for (let i = 0; i < width; i++) {
        const g = upstream[r * width + i];
        weightSums[i] += g * normalized(i);
        biasSums[i] += g;
        away += (g * scale[i]) / width;
        along += (g * scale[i] * normalized(i)) / width;
      }
      for (let i = 0; i < width; i++) {
        const at = r * width + i;
        const past = residual ? residual[at] : 0;
        to[at] = past + inverses[r] * (upstream[at] * scale[i] - away - normalized(i) * along);
      }
    }
    for (let i = 0; i < width; i++) {
      weightTo[i] += weightSums[i];
      biasTo[i] += biasSums[i];
    }
  },
};
