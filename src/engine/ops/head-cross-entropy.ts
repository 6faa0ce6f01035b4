import { defineOp } from "../op.ts";
import { rowsOf, type Tensor } from "../tensor.ts";

/** `normalizer` divides the summed loss: usually the number of targets in the whole batch. */
export interface HeadCrossEntropyOptions {
  /** i32 [tokens]; negative targets are ignored. */
  readonly targets: Tensor;
  readonly normalizer: number;
}

/**
 * Output head and mean softmax cross-entropy, chunked so that all logits never exist at once.
 * x: [tokens, width], weight: [vocabulary, width]; loss: [1] = Σ losses / normalizer, losses: [tokens] in nats.
 */
export const headCrossEntropy = defineOp<
  "x" | "weight",
  "loss" | "losses",
  "xGradient" | "weightGradient",
  HeadCrossEntropyOptions
>({
  name: "headCrossEntropy",
  inputs: ["x", "weight"],
  objective: true,
  forward(context, { x, weight }, { targets, normalizer }) {
    const { kernels } = context.backend;
    const losses = context.allocate([rowsOf(x)]);
    const loss = context.allocate([1]);
    // The gradients come out of the same logits, so that these are not computed a second time.
    const saved = context.recording
      ? { xGradient: context.allocate(x.shape), weightGradient: context.allocate(weight.shape) }
      : {};
    kernels.headCrossEntropy({ losses, x, weight, targets, ...saved });
    kernels.sum(loss, losses);
    kernels.scale(loss, loss, 1 / normalizer);
    return { outputs: { loss, losses }, saved };
  },
  backward(context, _gradients, { saved }, { normalizer }, sink) {
    const { kernels } = context.backend;
    sink.overwrite("x", (out) => kernels.scale(out, saved.xGradient!, 1 / normalizer));
    sink.accumulate("weight", (out) => {
      kernels.scale(saved.weightGradient!, saved.weightGradient!, 1 / normalizer);
      kernels.add(out, out, saved.weightGradient!);
    });
  },
});
