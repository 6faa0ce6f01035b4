import type { ActivationKind } from "../backend.ts";
import { defineOp, type OpContext } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Which function. */
export interface ActivationOptions {
  readonly kind: ActivationKind;
}

/** out = f(x), element by element: one of the GELUs, or tanh. */
export const activation = defineOp<"x", "out", never, ActivationOptions>({
  name: "activation",
  inputs: ["x"],
  takesBfloat16: ["x"],
  keeps: ["x"],
  recompute: { out: (context, { inputs }, options) => activated(context, inputs.x, options) },
  forward(context, { x }, options) {
    return { outputs: { out: activated(context, x, options) } };
  },
  backward(context, gradients, { inputs: { x } }, { kind }, sink) {
    sink.overwrite("x", (out) => context.backend.kernels.activationBackward(out, gradients.out!, x, kind));
  },
});

function activated(context: OpContext, x: Tensor, { kind }: ActivationOptions): Tensor {
  const out = context.allocate(x.shape, x.type);
  context.backend.kernels.activation(out, x, kind);
  return out;
}
