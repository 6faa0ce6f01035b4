import { defineOp } from "../op.ts";

/** out = a + b, in the memory of `a`, which must be an activation that nothing else reads. Both have one shape. */
export const add = defineOp<"a" | "b", "out", never, Record<never, never>>({
  name: "add",
  inputs: ["a", "b"],
  inPlace: { out: "a" },
  forward(context, { a, b }) {
    context.backend.kernels.add(a, a, b);
    return { outputs: { out: a } };
  },
  backward(_context, gradients, _values, _options, sink) {
    sink.pass("a", gradients.out!);
    sink.pass("b", gradients.out!);
  },
});
