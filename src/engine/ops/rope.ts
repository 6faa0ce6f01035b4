import { defineOp } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** What rotates: the first `heads` heads of each row, by the angles of `table` at `positions` (see Kernels.rope). */
export interface RopeOptions {
  readonly table: Tensor;
  readonly positions: Tensor;
  readonly heads: number;
  readonly headSize: number;
}

/** Rotary position embedding on packed [query | key | value] rows, in place (Su et al. 2021). */
export const rope = defineOp<"x", "out", never, RopeOptions>({
  name: "rope",
  inputs: ["x"],
  takesBfloat16: ["x"],
  keeps: [],
  inPlace: { out: "x" },
  forward(context, { x }, { table, positions, heads, headSize }) {
    context.backend.kernels.rope(x, x, table, positions, heads, headSize, false);
    return { outputs: { out: x } };
  },
  backward(context, gradients, _values, { table, positions, heads, headSize }, sink) {
    sink.overwrite("x", (out) =>
      context.backend.kernels.rope(out, gradients.out!, table, positions, heads, headSize, true),
    );
  },
});
