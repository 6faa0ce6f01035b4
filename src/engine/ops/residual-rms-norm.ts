import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";
import { normalized } from "./rms-norm.ts";

/**
 * The residual stream and its next norm in one pass: sum = x + delta, out = rmsNorm(sum) · weight.
 * x, delta, sum: [rows, width], weight: [width]; the stream is f32, out in the backend's precision.
 */
export const residualRmsNorm = defineOp<"x" | "delta" | "weight", "sum" | "out", "inverseRms", { epsilon: number }>({
  name: "residualRmsNorm",
  inputs: ["x", "delta", "weight"],
  takesBfloat16: ["delta"],
  keeps: ["sum", "weight"],
  recompute: {
    out: (context, { inputs: { weight }, outputs, saved }, { epsilon }) =>
      normalized(context, { x: outputs.sum, weight }, saved.inverseRms!, epsilon),
  },
  forward(context, { x, delta, weight }, { epsilon }) {
    const [sum, out] = [context.allocate(x.shape), context.allocate(x.shape, context.backend.precision)];
    const inverseRms = context.allocate([rowsOf(x)]);
    context.backend.kernels.rmsNorm({ out, inverseRms, x, delta, sum, weight, epsilon });
    return { outputs: { sum, out }, saved: { inverseRms } };
  },
  backward(context, gradients, { outputs: { sum }, inputs: { weight }, saved }, _options, sink) {
    if (gradients.out === undefined) {
      sink.pass("x", gradients.sum!);
      sink.pass("delta", gradients.sum!);
      return;
    }
    const sumGradient = context.allocate(sum.shape);
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
    context.free(sumGradient);
  },
});
