import { defineOp } from "../op.ts";
import { rows } from "../tensor.ts";

/**
 * out = x, with `added` on each of the rows [start, start + count): a class token or a bias in a table of positions.
 * x: [rows, width], added: [width].
 */
export const addIntoRows = defineOp<"x" | "added", "out", never, { readonly start: number; readonly count: number }>({
  name: "addIntoRows",
  inputs: ["x", "added"],
  forward(context, { x, added }, { start, count }) {
    const { kernels } = context.backend;
    const out = context.allocate(x.shape);
    kernels.copy(out, x);
    const into = rows(out, start, count);
    kernels.addRows(into, into, added);
    return { outputs: { out } };
  },
  backward({ backend: { kernels } }, gradients, _values, { start, count }, sink) {
    sink.accumulate("added", (added) => kernels.addRowsBackward(added, rows(gradients.out!, start, count)));
    sink.pass("x", gradients.out!);
  },
});
