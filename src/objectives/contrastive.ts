import { z } from "zod";
import { contrastiveLoss, type Engine, sigmoidContrastiveLoss, type Tensor, type Variable } from "../engine/index.ts";
import type { ImageTextModel, TextBatch } from "../models/index.ts";
import type { ObjectiveEntry } from "./objective.ts";

/** Pictures and captions; which loss it is follows from the model: InfoNCE for a CLIP, the sigmoid loss for a SigLIP. */
export const contrastive: ObjectiveEntry = {
  name: "contrastive",
  summary: "which caption belongs to which picture (CLIP; SigLIP's loss for a SigLIP)",
  families: ["image-text"],
  settings: z.strictObject({}),
};

/** Images and their texts, in the same order. */
export interface PairBatch {
  readonly pairs: number;
  /** [pairs, 3, size, size], normalised. */
  readonly pixels: Float32Array;
  readonly imageSize: number;
  /** The patches that the model sees of each image, as in `ImageBatch`. */
  readonly patches?: Int32Array;
  readonly texts: TextBatch;
}

/** Embeddings of unit length on the host: [pairs, width] each. */
export interface Embeddings {
  readonly images: Float32Array;
  readonly texts: Float32Array;
  readonly width: number;
}

/** How the embeddings of several ranks come together, so that all of their pairs are told apart in one loss. */
export interface Gathering {
  /** The embeddings of all ranks, in their order, and the row where this rank's begin. */
  gather(own: Embeddings): Promise<{ readonly all: Embeddings; readonly firstRow: number }>;
  /** Whether this is the one rank that adds the gradients of temperature and bias, which all of them compute. */
  readonly isFirst: boolean;
}

/**
 * Adds the gradients of the batch's contrastive loss to the model's and returns the loss: CLIP's symmetric InfoNCE, or
 * SigLIP's sigmoid loss where the model has a logit bias. With fewer `microBatchPairs` than pairs the towers run on that
 * many at a time, twice (gradient caching, Gao et al. 2021): the embeddings first, then, once the loss over the whole batch
 * has told their gradients, the backward pass. The gradients are those of the whole batch. With `gathering` the batch is
 * this rank's part of it: the sum of all ranks' gradients is that of one rank with all pairs.
 */
export async function contrastiveStep(
  engine: Engine,
  model: ImageTextModel,
  batch: PairBatch,
  microBatchPairs: number,
  gathering?: Gathering,
): Promise<number> {
  if (microBatchPairs >= batch.pairs && gathering === undefined) {
    return engine.scope({ record: true }, () => {
      const loss = lossOf(engine, model, embed(engine, model, batch));
      engine.backward(loss);
      return engine.scalar(loss);
    });
  }
  const own = await embedPairs(engine, model, batch, microBatchPairs);
  const { all, firstRow } = (await gathering?.gather(own)) ?? { all: own, firstRow: 0 };
  const { loss, gradients } = await gradientsOfEmbeddings(engine, model, all);
  if (gathering?.isFirst === false) {
    for (const one of [model.logitScale, model.logitBias]) {
      if (one?.parameterGradient !== undefined) engine.backend.write(one.parameterGradient, new Float32Array(1));
    }
  }
  for (let start = 0; start < batch.pairs; start += microBatchPairs) {
    const part = partOf(batch, start, microBatchPairs);
    await engine.scope({ record: true }, () => {
      const towers = embed(engine, model, part);
      const row = firstRow + start;
      const gradient = (data: Float32Array) =>
        engine.constant(data.slice(row * all.width, (row + part.pairs) * all.width), [part.pairs, all.width]);
      engine.backwardFrom([
        { variable: towers.images, gradient: gradient(gradients.images) },
        { variable: towers.texts, gradient: gradient(gradients.texts) },
      ]);
    });
  }
  return loss;
}

/** The embeddings of all pairs, `microBatchPairs` at a time. */
export async function embedPairs(
  engine: Engine,
  model: ImageTextModel,
  batch: PairBatch,
  microBatchPairs: number,
): Promise<Embeddings> {
  const { embeddingWidth: width } = model.architecture.dimensions(model.configuration);
  const [images, texts] = [new Float32Array(batch.pairs * width), new Float32Array(batch.pairs * width)];
  for (let start = 0; start < batch.pairs; start += microBatchPairs) {
    const part = partOf(batch, start, microBatchPairs);
    await engine.scope({ record: false }, async () => {
      const towers = embed(engine, model, part);
      images.set(await engine.backend.read(towers.images.tensor), start * width);
      texts.set(await engine.backend.read(towers.texts.tensor), start * width);
    });
  }
  return { images, texts, width };
}

/** The loss over embeddings that are there already. */
export function contrastiveLossOf(engine: Engine, model: ImageTextModel, embeddings: Embeddings): Promise<number> {
  const { images, texts, width } = embeddings;
  return engine.scope({ record: false }, () => {
    const [left, right] = [images, texts].map((data) => engine.input(data, [data.length / width, width]));
    return engine.scalar(lossOf(engine, model, { images: left, texts: right }));
  });
}

/** Gradients of the loss along the embeddings; those of temperature and bias are added to the model's. */
function gradientsOfEmbeddings(engine: Engine, model: ImageTextModel, { images, texts, width }: Embeddings) {
  return engine.scope({ record: true }, async () => {
    const end = (data: Float32Array): Variable & { readonly parameterGradient: Tensor } => {
      const shape = [data.length / width, width];
      return {
        tensor: engine.constant(data, shape),
        requiresGradient: true,
        parameterGradient: engine.constant(new Float32Array(data.length), shape),
      };
    };
    const towers = { images: end(images), texts: end(texts) };
    const loss = lossOf(engine, model, towers);
    engine.backward(loss);
    const { backend } = engine;
    const gradients = {
      images: await backend.read(towers.images.parameterGradient),
      texts: await backend.read(towers.texts.parameterGradient),
    };
    return { loss: await engine.scalar(loss), gradients };
  });
}

function embed(engine: Engine, model: ImageTextModel, { pairs, pixels, imageSize, patches, texts }: PairBatch) {
  const images = { images: pairs, patches, pixels: engine.constant(pixels, [pairs, 3, imageSize, imageSize]) };
  return { images: model.embedImages(engine, images), texts: model.embedTexts(engine, texts) };
}

function lossOf(engine: Engine, model: ImageTextModel, towers: { images: Variable; texts: Variable }): Variable {
  const { logitScale, logitBias } = model;
  return logitBias === undefined
    ? engine.run(contrastiveLoss, { ...towers, logitScale }, {}).loss
    : engine.run(sigmoidContrastiveLoss, { ...towers, logitScale, logitBias }, {}).loss;
}

/** Pairs [start, start + count) or to the end. */
function partOf({ pairs, pixels, imageSize, patches, texts }: PairBatch, start: number, count: number): PairBatch {
  const end = Math.min(pairs, start + count);
  const size = pixels.length / pairs;
  return {
    pairs: end - start,
    pixels: pixels.subarray(start * size, end * size),
    imageSize,
    patches: patches?.subarray((start * patches.length) / pairs, (end * patches.length) / pairs),
    texts: {
      sequences: end - start,
      length: texts.length,
      tokens: texts.tokens.subarray(start * texts.length, end * texts.length),
    },
  };
}
