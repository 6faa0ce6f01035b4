import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/**
 * The residual stream and its next norm in one pass: sum = x + delta, out = layerNorm(sum) · weight + bias.
 * x, delta: [rows, width], weight, bias: [width]. `sum` takes the memory of `delta`, which nothing else needs. A post-norm
 * model (BERT) goes on with `out` alone.
 */
export const residualLayerNorm = defineOp<
  "x" | "delta" | "weight" | "bias",
  "sum" | "out",
  "mean" | "inverseDeviation",
  { epsilon: number }
>({
  name: "residualLayerNorm",
  inputs: ["x", "delta", "weight", "bias"],
  inPlace: { sum: "delta" },
  forward(context, { x, delta, weight, bias }, { epsilon }) {
    const out = context.allocate(x.shape);
    const [mean, inverseDeviation] = [context.allocate([rowsOf(x)]), context.allocate([rowsOf(x)])];
    context.backend.kernels.layerNorm({
      ...{ out, mean, inverseDeviation, x: delta, delta: x, sum: delta, weight, bias, epsilon },
    });
    return { outputs: { sum: delta, out }, saved: { mean, inverseDeviation } };
  },
  backward(context, gradients, { inputs: { x, weight }, outputs: { sum }, saved }, _options, sink) {
    if (gradients.out === undefined) {
      sink.pass("x", gradients.sum!);
      sink.pass("delta", gradients.sum!);
      return;
    }
    const sumGradient = context.allocate(x.shape);
    sink.accumulateOrScratch("weight", (weightGradient) =>
      sink.accumulateOrScratch("bias", (biasGradient) =>
        context.backend.kernels.layerNormBackward({
          ...{ xGradient: sumGradient, weightGradient, biasGradient, gradient: gradients.out!, x: sum, weight },
          ...{ mean: saved.mean!, inverseDeviation: saved.inverseDeviation!, residualGradient: gradients.sum },
        }),
      ),
    );
    sink.pass("x", sumGradient);
    sink.pass("delta", sumGradient);
  },
});
