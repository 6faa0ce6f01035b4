import type { ActivationKind, Kernels } from "../../backend.ts";
import { floats } from "./memory.ts";

/** erf(x) for x ≥ 0: its series near 0, the continued fraction of erfc beyond; exact to f64's last digits. */
function errorFunction(x: number): number {
  if (x > 6) return 1;
  if (x > 2.5) {
    let fraction = x;
    for (let n = 60; n > 0; n--) fraction = x + n / 2 / fraction;
    return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
  }
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const normalShare = (x: number) => 0.5 * (1 + Math.sign(x) * errorFunction(Math.abs(x) * Math.SQRT1_2));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const rootTwoOverPi = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

/** A function of one element. */
export interface ElementFunction {
  value(x: number): number;
  slope(x: number): number;
}

/** Each activation and its slope. */
export const activationFunctions: Readonly<Record<ActivationKind, ElementFunction>> = {
  gelu: {
    value: (x) => x * normalShare(x),
    slope: (x) => normalShare(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
  "gelu-tanh": {
    value: (x) => 0.5 * x * (1 + Math.tanh(rootTwoOverPi * (x + cubic * x ** 3))),
    slope(x) {
      const tanh = Math.tanh(rootTwoOverPi * (x + cubic * x ** 3));
      return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * rootTwoOverPi * (1 + 3 * cubic * x * x);
    },
  },
  "quick-gelu": {
    value: (x) => x * sigmoid(1.702 * x),
    slope: (x) => sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - sigmoid(1.702 * x))),
  },
  tanh: { value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
};

export const activations: Pick<Kernels, "activation" | "activationBackward"> = {
  activation(out, x, kind) {
    const [to, from] = [floats(out, "activation: out"), floats(x, "activation: x")];
    if (from.length !== to.length) throw new RangeError(`activation: length ${from.length} into ${to.length}`);
    for (let i = 0; i < to.length; i++) to[i] = activationFunctions[kind].value(from[i]);
  },

  activationBackward(xGradient, gradient, x, kind) {
    const [to, upstream] = [floats(xGradient, "activationBackward: out"), floats(gradient, "activationBackward")];
    const from = floats(x, "activationBackward: x");
    if (from.length !== to.length) throw new RangeError(`activationBackward: length ${from.length} into ${to.length}`);
    for (let i = 0; i < to.length; i++) to[i] = upstream[i] * activationFunctions[kind].slope(from[i]);
  },
};
