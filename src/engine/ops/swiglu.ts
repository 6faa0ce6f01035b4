import { defineOp } from "../op.ts";
import { rowsOf, widthOf } from "../tensor.ts";

/** out = silu(gate) · up (Shazeer 2020). gateUp: [rows, 2 · width] holds gate, then up; out: [rows, width]. */
export const swiglu = defineOp<"gateUp", "out", never, Record<never, never>>({
  name: "swiglu",
  inputs: ["gateUp"],
  forward(context, { gateUp }) {
    const out = context.allocate([rowsOf(gateUp), widthOf(gateUp) / 2]);
    context.backend.kernels.swiglu(out, gateUp);
    return { outputs: { out } };
  },
  backward(context, gradients, { inputs: { gateUp } }, _options, sink) {
    sink.overwrite("gateUp", (out) => context.backend.kernels.swigluBackward(out, gradients.out!, gateUp));
  },
});
