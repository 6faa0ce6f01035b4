import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";

export const normalization: Pick<Kernels, "rmsNorm" | "rmsNormBackward"> = {
  rmsNorm({ out, inverseRms, x, weight, delta, sum, epsilon }) {
    const [rows, width] = [rowsOf(x), widthOf(x)];
    requireMatrix(out, rows, width, "rmsNorm: out");
    const [to, from, scale] = [floats(out, "rmsNorm: out"), floats(x, "rmsNorm: x"), floats(weight, "rmsNorm: weight")];
    const inverse = floats(inverseRms, "rmsNorm: inverseRms");
    const added = delta && floats(delta, "rmsNorm: delta");
    const total = sum && floats(sum, "rmsNorm: sum");
    const row = new Float32Array(width);
    for (let r = 0; r < rows; r++) {
      let squares = 0;
      for (let i = 0; i < width; i++) {
        row[i] = from[r * width + i] + (added ? added[r * width + i] : 0);
        squares += row[i] * row[i];
      }
      total?.set(row, r * width);
      inverse[r] = 1 / Math.sqrt(squares / width + epsilon);
      for (let i = 0; i < width; i++) to[r * width + i] = row[i] * inverse[r] * scale[i];
    }
  },

  // With n = s · inverse and g' = gradient · weight: ∂/∂s = inverse · (g' − n · mean(g' · n)).
  rmsNormBackward({ xGradient, weightGradient, gradient, x, weight, inverseRms, residualGradient }) {
    const [rows, width] = [rowsOf(x), widthOf(x)];
    requireMatrix(gradient, rows, width, "rmsNormBackward: gradient");
    requireMatrix(xGradient, rows, width, "rmsNormBackward: xGradient");
    const to = floats(xGradient, "rmsNormBackward: xGradient");
    const weightTo = floats(weightGradient, "rmsNormBackward: weightGradient");
    const upstream = floats(gradient, "rmsNormBackward: gradient");
    const [from, scale] = [floats(x, "rmsNormBackward: x"), floats(weight, "rmsNormBackward: weight")];
    const inverse = floats(inverseRms, "rmsNormBackward: inverseRms");
    const residual = residualGradient && floats(residualGradient, "rmsNormBackward: residualGradient");
    const weightSums = new Float64Array(width);
    for (let r = 0; r < rows; r++) {
      let projection = 0;
      for (let i = 0; i < width; i++) {
        const at = r * width + i;
        const normalized = from[at] * inverse[r];
        weightSums[i] += upstream[at] * normalized;
        projection += upstream[at] * scale[i] * normalized;
      }
      projection /= width;
      for (let i = 0; i < width; i++) {
        const at = r * width + i;
        const past = residual ? residual[at] : 0;
        to[at] = past + inverse[r] * (upstream[at] * scale[i] - from[at] * inverse[r] * projection);
      }
    }
    for (let i = 0; i < width; i++) weightTo[i] += weightSums[i];
  },
};
