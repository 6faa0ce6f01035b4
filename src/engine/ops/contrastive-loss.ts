import { defineOp, type GradientSink, type OpContext, type PartialTensors } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/**
 * CLIP's symmetric InfoNCE (Radford et al. 2021): the mean cross-entropy of finding each image's text among all texts of the
 * batch and each text's image among all images. images, texts: [pairs, width], of unit length; logitScale: [1], the log of
 * the inverse temperature; loss: [1], in nats.
 */
export const contrastiveLoss = defineOp<
  "images" | "texts" | "logitScale",
  "loss",
  "images" | "texts" | "logitScale",
  Record<never, never>
>({
  name: "contrastiveLoss",
  inputs: ["images", "texts", "logitScale"],
  objective: true,
  forward: (context, inputs) => lossOf(context, inputs),
  backward: (context, _gradients, { saved }, _options, sink) => passOn(context, saved, sink),
});

/**
 * SigLIP's loss (Zhai et al. 2023): every image with every text is a yes-or-no question of its own; the sum of their
 * −log σ, divided by the pairs. As `contrastiveLoss`, with logitBias: [1] added to every logit.
 */
export const sigmoidContrastiveLoss = defineOp<
  "images" | "texts" | "logitScale" | "logitBias",
  "loss",
  "images" | "texts" | "logitScale" | "logitBias",
  Record<never, never>
>({
  name: "sigmoidContrastiveLoss",
  inputs: ["images", "texts", "logitScale", "logitBias"],
  objective: true,
  forward: (context, inputs) => lossOf(context, inputs),
  backward: (context, _gradients, { saved }, _options, sink) => passOn(context, saved, sink),
});

interface LossInputs {
  readonly images: Tensor;
  readonly texts: Tensor;
  readonly logitScale: Tensor;
  readonly logitBias?: Tensor;
}

/** The gradients come out of the same logits as the loss, so that these are not computed a second time. */
function lossOf(context: OpContext, inputs: LossInputs): { outputs: { loss: Tensor }; saved: PartialTensors<string> } {
  const { images, texts, logitScale, logitBias } = inputs;
  const loss = context.allocate([1]);
  const gradients = context.recording
    ? {
        images: context.allocate(images.shape),
        texts: context.allocate(texts.shape),
        logitScale: context.allocate([1]),
        ...(logitBias === undefined ? {} : { logitBias: context.allocate([1]) }),
      }
    : undefined;
  context.backend.kernels.contrastiveLoss({ loss, images, texts, logitScale, logitBias, gradients });
  return { outputs: { loss }, saved: { ...gradients } };
}

function passOn<Name extends string>(context: OpContext, saved: PartialTensors<Name>, sink: GradientSink<Name>): void {
  const { kernels } = context.backend;
  for (const name of Object.keys(saved) as Name[]) sink.accumulate(name, (out) => kernels.add(out, out, saved[name]!));
}
