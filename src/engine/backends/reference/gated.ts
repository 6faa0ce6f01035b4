import type { Kernels } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { activationFunctions, type ElementFunction } from "./activation.ts";
import { floats, requireMatrix } from "./memory.ts";

const silu: ElementFunction = {
  value: (x) => x / (1 + Math.exp(-x)),
  slope(x) {
    const sigmoid = 1 / (1 + Math.exp(-x));
    return sigmoid * (1 + x * (1 - sigmoid));
  },
};
const { gelu } = activationFunctions;

/** out = f(gate) · up. */
function activate(name: string, { value }: ElementFunction, out: Tensor, gateUp: Tensor): void {
  const [rows, width] = [rowsOf(out), widthOf(out)];
  requireMatrix(gateUp, rows, 2 * width, `${name}: gateUp`);
  const [to, from] = [floats(out, `${name}: out`), floats(gateUp, `${name}: gateUp`)];
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      to[r * width + i] = value(from[2 * r * width + i]) * from[(2 * r + 1) * width + i];
    }
  }
}

function differentiate(
  name: string,
  { value, slope }: ElementFunction,
  gateUpGradient: Tensor,
  gradient: Tensor,
  gateUp: Tensor,
): void {
  const [rows, width] = [rowsOf(gradient), widthOf(gradient)];
  requireMatrix(gateUp, rows, 2 * width, `${name}: gateUp`);
  requireMatrix(gateUpGradient, rows, 2 * width, `${name}: gateUpGradient`);
  const [to, from] = [floats(gateUpGradient, `${name}: out`), floats(gateUp, `${name}: gateUp`)];
  const upstream = floats(gradient, `${name}: gradient`);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      const gateAt = 2 * r * width + i;
      const upAt = gateAt + width;
      to[gateAt] = upstream[r * width + i] * from[upAt] * slope(from[gateAt]);
      to[upAt] = upstream[r * width + i] * value(from[gateAt]);
    }
  }
}

export const gated: Pick<Kernels, "swiglu" | "swigluBackward" | "geglu" | "gegluBackward"> = {
  swiglu: (out, gateUp) => activate("swiglu", silu, out, gateUp),
  swigluBackward: (...tensors) => differentiate("swigluBackward", silu, ...tensors),
  geglu: (out, gateUp) => activate("geglu", gelu, out, gateUp),
  gegluBackward: (...tensors) => differentiate("gegluBackward", gelu, ...tensors),
};
