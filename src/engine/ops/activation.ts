import type { ActivationKind } from "../backend.ts";
import { defineOp } from "../op.ts";

/** out = f(x), element by element: one of the GELUs, or tanh. */
export const activation = defineOp<"x", "out", never, { readonly kind: ActivationKind }>({
  name: "activation",
  inputs: ["x"],
  forward(context, { x }, { kind }) {
    const out = context.allocate(x.shape);
    context.backend.kernels.activation(out, x, kind);
    return { outputs: { out } };
  },
  backward(context, gradients, { inputs: { x } }, { kind }, sink) {
    sink.overwrite("x", (out) => context.backend.kernels.activationBackward(out, gradients.out!, x, kind));
  },
});
