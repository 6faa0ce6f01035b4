import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** out = x / ‖x‖, row by row: embeddings whose products are cosines. x, out: [rows, width]. */
export const l2Normalize = defineOp<"x", "out", "inverseNorm", Record<never, never>>({
  name: "l2Normalize",
  inputs: ["x"],
  forward(context, { x }) {
    const out = context.allocate(x.shape);
    const inverseNorm = context.allocate([rowsOf(x)]);
    context.backend.kernels.l2Normalize(out, inverseNorm, x);
    return { outputs: { out }, saved: { inverseNorm } };
  },
  backward({ backend: { kernels } }, gradients, { outputs, saved }, _options, sink) {
    sink.overwrite("x", (xGradient) =>
      kernels.l2NormalizeBackward(xGradient, gradients.out!, outputs.out, saved.inverseNorm!),
    );
  },
});
