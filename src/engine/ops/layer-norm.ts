import { defineOp, type OpContext } from "../op.ts";
import { type ElementType, rowsOf, type Tensor } from "../tensor.ts";

/** `type` of the output: the backend's precision if left out; f32 where the norm's output is the residual stream (post-norm). */
export interface LayerNormOptions {
  readonly epsilon: number;
  readonly type?: ElementType;
}

/** out = (x − mean(x)) / √(var(x) + ε) · weight + bias (Ba et al. 2016). x: [rows, width], weight, bias: [width]. */
export const layerNorm = defineOp<"x" | "weight" | "bias", "out", "mean" | "inverseDeviation", LayerNormOptions>({
  name: "layerNorm",
  inputs: ["x", "weight", "bias"],
  keeps: ["x", "weight", "bias"],
  recompute: {
    out: (context, { inputs, saved }, options) =>
      layerNormalized(context, inputs, { mean: saved.mean!, inverseDeviation: saved.inverseDeviation! }, options),
  },
  forward(context, inputs, options) {
    const saved = layerNormStatistics(context, inputs.x);
    return { outputs: { out: layerNormalized(context, inputs, saved, options) }, saved };
  },
  backward(context, gradients, { inputs: { x, weight }, saved }, _options, sink) {
    const xGradient = context.allocate(x.shape);
    sink.accumulateOrScratch("weight", (weightGradient) =>
      sink.accumulateOrScratch("bias", (biasGradient) =>
        context.backend.kernels.layerNormBackward({
          ...{ xGradient, weightGradient, biasGradient, gradient: gradients.out!, x, weight },
          ...{ mean: saved.mean!, inverseDeviation: saved.inverseDeviation! },
        }),
      ),
    );
    sink.pass("x", xGradient);
    context.free(xGradient);
  },
});

/** What a layer norm keeps of every row. */
interface Statistics {
  readonly mean: Tensor;
  readonly inverseDeviation: Tensor;
}

/** Memory for the statistics of the rows of x. */
export function layerNormStatistics(context: OpContext, x: Tensor): Statistics {
  return { mean: context.allocate([rowsOf(x)]), inverseDeviation: context.allocate([rowsOf(x)]) };
}

/** The norm of x in new memory. */
export function layerNormalized(
  context: OpContext,
  { x, weight, bias }: { readonly x: Tensor; readonly weight: Tensor; readonly bias: Tensor },
  statistics: Statistics,
  { epsilon, type = context.backend.precision }: LayerNormOptions,
): Tensor {
  const out = context.allocate(x.shape, type);
  context.backend.kernels.layerNorm({ out, ...statistics, x, weight, bias, epsilon });
  return out;
}
