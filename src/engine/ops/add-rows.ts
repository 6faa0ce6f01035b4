import { defineOp } from "../op.ts";

/**
 * out[r] = x[r] + table[r mod period]: position embeddings over sequences of equal length, a bias with period 1.
 * x: [rows, width], table: [period, width].
 */
export const addRows = defineOp<"x" | "table", "out", never, Record<never, never>>({
  name: "addRows",
  inputs: ["x", "table"],
  keeps: [],
  inPlace: { out: "x" },
  forward(context, { x, table }) {
    context.backend.kernels.addRows(x, x, table);
    return { outputs: { out: x } };
  },
  backward({ backend: { kernels } }, gradients, _values, _options, sink) {
    sink.accumulate("table", (table) => kernels.addRowsBackward(table, gradients.out!));
    sink.pass("x", gradients.out!);
  },
});
