import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** out = x · weightᵀ. x: [rows, inputs], weight: [outputs, inputs] as Hugging Face stores it; out: [rows, outputs], in the backend's precision. */
export const linear = defineOp<"x" | "weight", "out", never, Record<never, never>>({
  name: "linear",
  inputs: ["x", "weight"],
  takesBfloat16: ["x", "weight"],
  takesAnyGradient: true,
  keeps: ["x", "weight"],
  forward(context, { x, weight }) {
    const out = context.allocate([rowsOf(x), weight.shape[0]], context.backend.precision);
    context.backend.kernels.matmul(out, x, weight, { transposeB: true });
    return { outputs: { out } };
  },
  backward({ backend: { kernels } }, gradients, { inputs: { x, weight } }, _options, sink) {
    const gradient = gradients.out!;
    sink.either("weight", (out, accumulate) => kernels.matmul(out, gradient, x, { transposeA: true, accumulate }));
    sink.either("x", (out, accumulate) => kernels.matmul(out, gradient, weight, { accumulate }));
  },
});
