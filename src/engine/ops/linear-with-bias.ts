import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/**
 * out = x · weightᵀ + bias. x: [rows, inputs], weight: [outputs, inputs], bias: [outputs]; out: [rows, outputs], in the backend's
 * precision.
 */
export const linearWithBias = defineOp<"x" | "weight" | "bias", "out", never, Record<never, never>>({
  name: "linearWithBias",
  inputs: ["x", "weight", "bias"],
  takesBfloat16: ["x", "weight"],
  takesAnyGradient: true,
  keeps: ["x", "weight"],
  forward(context, { x, weight, bias }) {
    const out = context.allocate([rowsOf(x), weight.shape[0]], context.backend.precision);
    context.backend.kernels.matmul(out, x, weight, { transposeB: true, bias });
    return { outputs: { out } };
  },
  backward({ backend: { kernels } }, gradients, { inputs: { x, weight } }, _options, sink) {
    const gradient = gradients.out!;
    sink.accumulate("bias", (out) => kernels.addRowsBackward(out, gradient));
    sink.either("weight", (out, accumulate) => kernels.matmul(out, gradient, x, { transposeA: true, accumulate }));
    sink.either("x", (out, accumulate) => kernels.matmul(out, gradient, weight, { accumulate }));
  },
});
