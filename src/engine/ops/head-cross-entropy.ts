import { defineOp, type GradientSink, type OpContext, type PartialTensors } from "../op.ts";
import { rowsOf, type Tensor } from "../tensor.ts";

/** `normalizer` divides the summed loss: usually the number of targets in the whole batch. */
export interface HeadCrossEntropyOptions {
  /** i32 [tokens]; negative targets are ignored. */
  readonly targets: Tensor;
  readonly normalizer: number;
}

type Saved = "xGradient" | "weightGradient" | "biasGradient";

/**
 * Output head and mean softmax cross-entropy, chunked so that all logits never exist at once.
 * x: [tokens, width], weight: [vocabulary, width]; loss: [1] = Σ losses / normalizer, losses: [tokens] in nats.
 */
export const headCrossEntropy = defineOp<"x" | "weight", "loss" | "losses", Saved, HeadCrossEntropyOptions>({
  name: "headCrossEntropy",
  inputs: ["x", "weight"],
  objective: true,
  forward: (context, { x, weight }, options) => forward(context, x, weight, undefined, options),
  backward(context, _gradients, { saved }, { normalizer }, sink) {
    backward(context, saved, normalizer, sink);
  },
});

/** As `headCrossEntropy` for a head with a bias [vocabulary] (BERT). */
export const headCrossEntropyWithBias = defineOp<
  "x" | "weight" | "bias",
  "loss" | "losses",
  Saved,
  HeadCrossEntropyOptions
>({
  name: "headCrossEntropyWithBias",
  inputs: ["x", "weight", "bias"],
  objective: true,
  forward: (context, { x, weight, bias }, options) => forward(context, x, weight, bias, options),
  backward(context, _gradients, { saved }, { normalizer }, sink) {
    backward(context, saved, normalizer, sink);
    sink.accumulate("bias", (out) => addScaled(context, out, saved.biasGradient!, 1 / normalizer));
  },
});

function forward(
  context: OpContext,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { targets, normalizer }: HeadCrossEntropyOptions,
) {
  const { kernels } = context.backend;
  const losses = context.allocate([rowsOf(x)]);
  const loss = context.allocate([1]);
  // The gradients come out of the same logits, so that these are not computed a second time.
  const saved: PartialTensors<Saved> = context.recording
    ? {
        xGradient: context.allocate(x.shape),
        weightGradient: context.allocate(weight.shape),
        ...(bias && { biasGradient: context.allocate(bias.shape) }),
      }
    : {};
  kernels.headCrossEntropy({ losses, x, weight, bias, targets, ...saved });
  kernels.sum(loss, losses);
  kernels.scale(loss, loss, 1 / normalizer);
  return { outputs: { loss, losses }, saved };
}

function backward(
  context: OpContext,
  saved: PartialTensors<Saved>,
  normalizer: number,
  sink: GradientSink<"x" | "weight">,
): void {
  sink.overwrite("x", (out) => context.backend.kernels.scale(out, saved.xGradient!, 1 / normalizer));
  sink.accumulate("weight", (out) => addScaled(context, out, saved.weightGradient!, 1 / normalizer));
}

/** out += gradient · factor; the gradient is scaled in place. */
function addScaled({ backend: { kernels } }: OpContext, out: Tensor, gradient: Tensor, factor: number): void {
  kernels.scale(gradient, gradient, factor);
  kernels.add(out, out, gradient);
}
