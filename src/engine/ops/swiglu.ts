import { defineOp, type OpContext } from "../op.ts";
import { rowsOf, type Tensor, widthOf } from "../tensor.ts";

/** out = silu(gate) · up (Shazeer 2020). gateUp: [rows, 2 · width] holds gate, then up; out: [rows, width]. */
export const swiglu = defineOp<"gateUp", "out", never, Record<never, never>>({
  name: "swiglu",
  inputs: ["gateUp"],
  takesBfloat16: ["gateUp"],
  keeps: ["gateUp"],
  recompute: { out: (context, { inputs }) => activated(context, inputs.gateUp) },
  forward(context, { gateUp }) {
    return { outputs: { out: activated(context, gateUp) } };
  },
  backward(context, gradients, { inputs: { gateUp } }, _options, sink) {
    sink.overwrite("gateUp", (out) => context.backend.kernels.swigluBackward(out, gradients.out!, gateUp));
  },
});

function activated(context: OpContext, gateUp: Tensor): Tensor {
  const out = context.allocate([rowsOf(gateUp), widthOf(gateUp) / 2], gateUp.type);
  context.backend.kernels.swiglu(out, gateUp);
  return out;
}
