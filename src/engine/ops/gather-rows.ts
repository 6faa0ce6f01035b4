import { defineOp } from "../op.ts";
import { elementCount, type Tensor, widthOf } from "../tensor.ts";

/**
 * out[i] = x[rows[i]]: masked positions, or the CLS or EOS token of every sequence. The backward pass scatters, rows named
 * twice add up. x: [tokens, width], rows: i32 [count]; out: [count, width].
 */
export const gatherRows = defineOp<"x", "out", never, { readonly rows: Tensor }>({
  name: "gatherRows",
  inputs: ["x"],
  forward(context, { x }, { rows }) {
    const out = context.allocate([elementCount(rows), widthOf(x)]);
    context.backend.kernels.embedding(out, x, rows);
    return { outputs: { out } };
  },
  backward(context, gradients, _values, { rows }, sink) {
    sink.accumulate("x", (out) => context.backend.kernels.embeddingBackward(out, gradients.out!, rows));
  },
});
