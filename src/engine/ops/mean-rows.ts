import { defineOp } from "../op.ts";
import { elementCount, type Tensor, widthOf } from "../tensor.ts";

/** Ranges of rows [from, to), i32 [ranges]; they may overlap, and an empty one yields zeros. */
export interface RowRanges {
  readonly from: Tensor;
  readonly to: Tensor;
}

/** out[r] = mean of rows [from[r], to[r]): mean pooling over each sequence's own tokens. x: [tokens, width]; out: [ranges, width]. */
export const meanRows = defineOp<"x", "out", never, RowRanges>({
  name: "meanRows",
  inputs: ["x"],
  forward(context, { x }, { from, to }) {
    const out = context.allocate([elementCount(from), widthOf(x)]);
    context.backend.kernels.meanRows(out, x, from, to);
    return { outputs: { out } };
  },
  backward(context, gradients, _values, { from, to }, sink) {
    sink.accumulate("x", (out) => context.backend.kernels.meanRowsBackward(out, gradients.out!, from, to));
  },
});
