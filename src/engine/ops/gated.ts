import { defineOp, type OpContext } from "../op.ts";
import { rowsOf, type Tensor, widthOf } from "../tensor.ts";

/** out = silu(gate) · up (Shazeer 2020). gateUp: [rows, 2 · width] holds gate, then up; out: [rows, width]. */
export const swiglu = gatedUnit("swiglu");

/** out = gelu(gate) · up with the exact GELU (Shazeer 2020); otherwise as `swiglu`. */
export const geglu = gatedUnit("geglu");

function gatedUnit(name: "swiglu" | "geglu") {
  const activated = (context: OpContext, gateUp: Tensor): Tensor => {
    const out = context.allocate([rowsOf(gateUp), widthOf(gateUp) / 2], gateUp.type);
    context.backend.kernels[name](out, gateUp);
    return out;
  };
  return defineOp<"gateUp", "out", never, Record<never, never>>({
    name,
    inputs: ["gateUp"],
    takesBfloat16: ["gateUp"],
    keeps: ["gateUp"],
    recompute: { out: (context, { inputs }) => activated(context, inputs.gateUp) },
    forward(context, { gateUp }) {
      return { outputs: { out: activated(context, gateUp) } };
    },
    backward({ backend }, gradients, { inputs: { gateUp } }, _options, sink) {
      sink.overwrite("gateUp", (out) => backend.kernels[`${name}Backward`](out, gradients.out!, gateUp));
    },
  });
}
