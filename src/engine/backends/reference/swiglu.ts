import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";

export const gated: Pick<Kernels, "swiglu" | "swigluBackward"> = {
  swiglu(out, gateUp) {
    const [rows, width] = [rowsOf(out), widthOf(out)];
    requireMatrix(gateUp, rows, 2 * width, "swiglu: gateUp");
    const [to, from] = [floats(out, "swiglu: out"), floats(gateUp, "swiglu: gateUp")];
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) {
        const gate = from[2 * r * width + i];
        to[r * width + i] = (gate / (1 + Math.exp(-gate))) * from[(2 * r + 1) * width + i];
      }
    }
  },

  swigluBackward(gateUpGradient, gradient, gateUp) {
    const [rows, width] = [rowsOf(gradient), widthOf(gradient)];
    requireMatrix(gateUp, rows, 2 * width, "swigluBackward: gateUp");
    requireMatrix(gateUpGradient, rows, 2 * width, "swigluBackward: gateUpGradient");
    const [to, from] = [floats(gateUpGradient, "swigluBackward: out"), floats(gateUp, "swigluBackward: gateUp")];
    const upstream = floats(gradient, "swigluBackward: gradient");
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) {
        const gateAt = 2 * r * width + i;
        const upAt = gateAt + width;
        const sigmoid = 1 / (1 + Math.exp(-from[gateAt]));
        const g = upstream[r * width + i];
        to[upAt] = g * from[gateAt] * sigmoid;
        to[gateAt] = g * from[upAt] * sigmoid * (1 + from[gateAt] * (1 - sigmoid));
      }
    }
  },
};
