import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/**
 * The residual stream and its next norm in one pass: sum = x + delta, out = rmsNorm(sum) · weight.
 * x, delta: [rows, width], weight: [width]. `sum` takes the memory of `delta`, which nothing else needs.
 */
export const residualRmsNorm = defineOp<"x" | "delta" | "weight", "sum" | "out", "inverseRms", { epsilon: number }>({
  name: "residualRmsNorm",
  inputs: ["x", "delta", "weight"],
  inPlace: { sum: "delta" },
  forward(context, { x, delta, weight }, { epsilon }) {
    const out = context.allocate(x.shape);
    const inverseRms = context.allocate([rowsOf(x)]);
    context.backend.kernels.rmsNorm({ out, inverseRms, x: delta, delta: x, sum: delta, weight, epsilon });
    return { outputs: { sum: delta, out }, saved: { inverseRms } };
  },
  backward(context, gradients, { inputs: { x, weight }, outputs: { sum }, saved }, _options, sink) {
    if (gradients.out === undefined) {
      sink.pass("x", gradients.sum!);
      sink.pass("delta", gradients.sum!);
      return;
    }
    const sumGradient = context.allocate(x.shape);
    sink.accumulateOrScratch("weight", (weightGradient) =>
      context.backend.kernels.rmsNormBackward({
        xGradient: sumGradient,
        weightGradient,
        gradient: gradients.out!,
        x: sum,
        weight,
        inverseRms: saved.inverseRms!,
        residualGradient: gradients.sum,
      }),
    );
    sink.pass("x", sumGradient);
    sink.pass("delta", sumGradient);
  },
});
