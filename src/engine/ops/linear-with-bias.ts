import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** out = x · weightᵀ + bias. x: [rows, inputs], weight: [outputs, inputs], bias: [outputs]; out: [rows, outputs]. */
export const linearWithBias = defineOp<"x" | "weight" | "bias", "out", never, Record<never, never>>({
  name: "linearWithBias",
  inputs: ["x", "weight", "bias"],
  forward(context, { x, weight, bias }) {
    const { kernels } = context.backend;
    const out = context.allocate([rowsOf(x), weight.shape[0]]);
    kernels.matmul(out, x, weight, { transposeB: true });
    kernels.addRows(out, out, bias);
    return { outputs: { out } };
  },
  backward({ backend: { kernels } }, gradients, { inputs: { x, weight } }, _options, sink) {
    const gradient = gradients.out!;
    sink.accumulate("bias", (out) => kernels.addRowsBackward(out, gradient));
    sink.either("weight", (out, accumulate) => kernels.matmul(out, gradient, x, { transposeA: true, accumulate }));
    sink.either("x", (out, accumulate) => kernels.matmul(out, gradient, weight, { accumulate }));
  },
});
