import { defineOp, type GradientSink, type OpContext } from "../op.ts";
import { rowsOf, type Tensor } from "../tensor.ts";

/** `normalizer` divides the summed loss: usually the number of targets in the whole batch. */
export interface HeadCrossEntropyOptions {
  /** i32 [tokens]; negative targets are ignored. */
  readonly targets: Tensor;
  readonly normalizer: number;
  /** Factor z of the penalty z · log²Σexp(logits) that each counted token's loss gets (z-loss); none if left out. */
  readonly zLoss?: number;
  /** [tokens], is told how far each target's logit lies below the highest. */
  readonly gaps?: Tensor;
}

/**
 * Output head and mean softmax cross-entropy, chunked so that all logits never exist at once. The gradients come out of the
 * same logits, so that these are not computed a second time.
 * x: [tokens, width], weight: [vocabulary, width]; loss: [1] = Σ losses / normalizer, losses: [tokens] in nats.
 */
export const headCrossEntropy = defineOp<"x" | "weight", "loss" | "losses", never, HeadCrossEntropyOptions>({
  name: "headCrossEntropy",
  inputs: ["x", "weight"],
  takesBfloat16: ["x"],
  keeps: [],
  objective: true,
  forward: (context, inputs, options, sink) => forward(context, inputs, options, sink),
  backward() {},
});

/** As `headCrossEntropy` for a head with a bias [vocabulary] (BERT). */
export const headCrossEntropyWithBias = defineOp<
  "x" | "weight" | "bias",
  "loss" | "losses",
  never,
  HeadCrossEntropyOptions
>({
  name: "headCrossEntropyWithBias",
  inputs: ["x", "weight", "bias"],
  takesBfloat16: ["x"],
  keeps: [],
  objective: true,
  forward(context, inputs, options, sink) {
    if (sink === undefined) return forward(context, inputs, options);
    let result: ReturnType<typeof forward> | undefined;
    sink.accumulateOrScratch("bias", (biasGradient) => {
      result = forward(context, inputs, options, sink, biasGradient);
    });
    return result!;
  },
  backward() {},
});

function forward(
  context: OpContext,
  inputs: { readonly x: Tensor; readonly weight: Tensor; readonly bias?: Tensor },
  { targets, normalizer, zLoss, gaps }: HeadCrossEntropyOptions,
  sink?: GradientSink<"x" | "weight">,
  biasGradient?: Tensor,
) {
  const { kernels } = context.backend;
  const { x, weight } = inputs;
  const losses = context.allocate([rowsOf(x)]);
  const loss = context.allocate([1]);
  const scale = 1 / normalizer;
  if (sink === undefined) {
    kernels.headCrossEntropy({ losses, gaps, ...inputs, targets, zLoss });
  } else {
    const xGradient = context.allocate(x.shape);
    const claimed = sink.claim("weight");
    const weightGradient = claimed?.gradient ?? context.allocate(weight.shape);
    const accumulateWeight = claimed?.accumulate ?? false;
    const gradients = { x: xGradient, weight: weightGradient, bias: biasGradient, scale, accumulateWeight };
    kernels.headCrossEntropy({ losses, gaps, ...inputs, targets, zLoss, gradients });
    sink.pass("x", xGradient);
    context.free(xGradient);
    if (claimed === undefined) context.free(weightGradient);
  }
  kernels.sum(loss, losses);
  kernels.scale(loss, loss, scale);
  return { outputs: { loss, losses } };
}
