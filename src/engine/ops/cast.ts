import { defineOp } from "../op.ts";
import type { ElementType } from "../tensor.ts";

/** out = x in another type. The gradient passes as it is, and is converted where that matters. */
export const cast = defineOp<"x", "out", never, { type: ElementType }>({
  name: "cast",
  inputs: ["x"],
  takesBfloat16: ["x"],
  takesAnyGradient: true,
  keeps: [],
  forward(context, { x }, { type }) {
    const out = context.allocate(x.shape, type);
    context.backend.kernels.copy(out, x);
    return { outputs: { out } };
  },
  backward: (_context, gradients, _values, _options, sink) => sink.pass("x", gradients.out!),
});
