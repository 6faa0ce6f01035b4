import { defineOp } from "../op.ts";
import { type LayerNormOptions, layerNormalized, layerNormStatistics } from "./layer-norm.ts";

/**
 * The residual stream and its next norm in one pass: sum = x + delta, out = layerNorm(sum) · weight + bias.
 * x, delta, sum: [rows, width], weight, bias: [width]; the stream is f32. A post-norm model (BERT) goes on with `out` alone.
 */
export const residualLayerNorm = defineOp<
  "x" | "delta" | "weight" | "bias",
  "sum" | "out",
  "mean" | "inverseDeviation",
  LayerNormOptions
>({
  name: "residualLayerNorm",
  inputs: ["x", "delta", "weight", "bias"],
  takesBfloat16: ["delta"],
  keeps: ["sum", "weight", "bias"],
  recompute: {
    out: (context, { inputs: { weight, bias }, outputs: { sum }, saved }, options) => {
      const statistics = { mean: saved.mean!, inverseDeviation: saved.inverseDeviation! };
      return layerNormalized(context, { x: sum, weight, bias }, statistics, options);
    },
  },
  forward(context, { x, delta, weight, bias }, { epsilon, type = context.backend.precision }) {
    const [sum, out, saved] = [
      context.allocate(x.shape),
      context.allocate(x.shape, type),
      layerNormStatistics(context, x),
    ];
    context.backend.kernels.layerNorm({ out, ...saved, x, delta, sum, weight, bias, epsilon });
    return { outputs: { sum, out }, saved };
  },
  backward(context, gradients, { inputs: { weight }, outputs: { sum }, saved }, _options, sink) {
    if (gradients.out === undefined) {
      sink.pass("x", gradients.sum!);
      sink.pass("delta", gradients.sum!);
      return;
    }
    const sumGradient = context.allocate(sum.shape);
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
    context.free(sumGradient);
  },
});
