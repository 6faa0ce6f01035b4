import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";

export const unitRows: Pick<Kernels, "l2Normalize" | "l2NormalizeBackward"> = {
  l2Normalize(out, inverseNorm, x) {
    const [rows, width] = [rowsOf(x), widthOf(x)];
    requireMatrix(out, rows, width, "l2Normalize: out");
    requireMatrix(inverseNorm, 1, rows, "l2Normalize: inverseNorm");
    const [to, from] = [floats(out, "l2Normalize: out"), floats(x, "l2Normalize: x")];
    const inverse = floats(inverseNorm, "l2Normalize: inverseNorm");
    for (let row = 0; row < rows; row++) {
      let squares = 0;
      for (let i = 0; i < width; i++) squares += from[row * width + i] ** 2;
      inverse[row] = 1 / Math.max(Math.sqrt(squares), 1e-12);
      for (let i = 0; i < width; i++) to[row * width + i] = from[row * width + i] * inverse[row];
    }
  },

  // With y = x / ‖x‖: ∂/∂x = (g − y · (g · y)) / ‖x‖.
  l2NormalizeBackward(xGradient, gradient, out, inverseNorm) {
    const [rows, width] = [rowsOf(gradient), widthOf(gradient)];
    requireMatrix(xGradient, rows, width, "l2NormalizeBackward: xGradient");
    requireMatrix(out, rows, width, "l2NormalizeBackward: out");
    const [to, upstream] = [
      floats(xGradient, "l2NormalizeBackward"),
      floats(gradient, "l2NormalizeBackward: gradient"),
    ];
    const [unit, inverse] = [floats(out, "l2NormalizeBackward: out"), floats(inverseNorm, "l2NormalizeBackward")];
    for (let row = 0; row < rows; row++) {
      let along = 0;
      for (let i = 0; i < width; i++) along += upstream[row * width + i] * unit[row * width + i];
      for (let i = 0; i < width; i++) {
        const at = row * width + i;
        to[at] = inverse[row] * (upstream[at] - unit[at] * along);
      }
    }
  },
};
