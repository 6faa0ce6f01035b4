import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** out = x / √(mean(x²) + ε) · weight (Zhang & Sennrich 2019). x: [rows, width], weight: [width]. */
export const rmsNorm = defineOp<"x" | "weight", "out", "inverseRms", { epsilon: number }>({
  name: "rmsNorm",
  inputs: ["x", "weight"],
  forward(context, { x, weight }, { epsilon }) {
    const out = context.allocate(x.shape);
    const inverseRms = context.allocate([rowsOf(x)]);
    context.backend.kernels.rmsNorm({ out, inverseRms, x, weight, epsilon });
    return { outputs: { out }, saved: { inverseRms } };
  },
  backward(context, gradients, { inputs: { x, weight }, saved }, _options, sink) {
    sink.accumulateOrScratch("weight", (weightGradient) => {
      const xGradient = context.allocate(x.shape);
      context.backend.kernels.rmsNormBackward({
        xGradient,
        weightGradient,
        gradient: gradients.out!,
        x,
        weight,
        inverseRms: saved.inverseRms!,
      });
      sink.pass("x", xGradient);
    });
  },
});
