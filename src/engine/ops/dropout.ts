import { defineOp } from "../op.ts";

/** What is dropped: elements with that probability, which ones by `key` (an integer in [0, 2³²)) alone. */
export interface DropoutOptions {
  readonly probability: number;
  readonly key: number;
}

/** Dropout in the memory of `x`, which must be an activation that nothing else reads (see Kernels.dropout). */
export const dropout = defineOp<"x", "out", never, DropoutOptions>({
  name: "dropout",
  inputs: ["x"],
  takesBfloat16: ["x"],
  keeps: [],
  inPlace: { out: "x" },
  forward(context, { x }, { probability, key }) {
    context.backend.kernels.dropout(x, x, probability, key);
    return { outputs: { out: x } };
  },
  backward(context, gradients, _values, { probability, key }, sink) {
    sink.overwrite("x", (out) => context.backend.kernels.dropout(out, gradients.out!, probability, key));
  },
});
