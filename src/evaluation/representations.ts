/** Texts as vectors: a model's last hidden states, pooled. */
import { type Engine, gatherRows, l2Normalize, meanRows } from "../engine/index.ts";
import type { ProgressListener } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";

/** Which hidden states make the vector: the mean of all, the first token's, the end-of-text token's, or the text's last. */
export const poolings = ["mean", "cls", "eos", "last"] as const;
export type Pooling = (typeof poolings)[number];

/** How texts become vectors. */
export interface RepresentationOptions {
  readonly pooling: Pooling;
  /** Whether vectors are scaled to length 1. */
  readonly normalize: boolean;
  /** Tokens of one forward pass, padding included. */
  readonly batchTokens?: number;
  readonly onProgress?: ProgressListener;
}

/** Vectors in the order of the texts: [texts, width]. */
export interface Representations {
  readonly vectors: Float32Array;
  readonly width: number;
  /** Texts that were cut to the model's context. */
  readonly cut: number;
}

/**
 * The vectors of tokenized texts. A text stands between two end-of-text tokens, as documents do in training, and is cut to the
 * model's context. Texts of like length share a batch; what shares a batch with a text has no influence on its vector beyond rounding.
 */
export async function representationsOf(
  engine: Engine,
  model: LanguageModel,
  texts: readonly Int32Array[],
  endOfText: number,
  options: RepresentationOptions,
): Promise<Representations> {
  const { context, width } = model.architecture.dimensions(model.configuration);
  const order = texts.map((_, index) => index).sort((a, b) => texts[b].length - texts[a].length || a - b);
  const vectors = new Float32Array(texts.length * width);
  const cut = texts.filter((text) => text.length + 2 > context).length;
  for (let first = 0; first < order.length; ) {
    const length = Math.min(context, texts[order[first]].length + 2);
    const count = Math.max(1, Math.floor((options.batchTokens ?? 4096) / length));
    const some = order.slice(first, first + count);
    const values = await poolBatch(
      engine,
      model,
      some.map((index) => texts[index]),
      length,
      endOfText,
      options,
    );
    for (const [row, index] of some.entries()) {
      vectors.set(values.subarray(row * width, (row + 1) * width), index * width);
    }
    first += some.length;
    options.onProgress?.({ stage: "embedding", done: first, total: texts.length, unit: "texts" });
  }
  return { vectors, width, cut };
}

function poolBatch(
  engine: Engine,
  model: LanguageModel,
  texts: readonly Int32Array[],
  length: number,
  endOfText: number,
  { pooling, normalize }: RepresentationOptions,
): Promise<Float32Array> {
  const tokens = new Int32Array(texts.length * length).fill(endOfText);
  const lengths = texts.map((text) => Math.min(length, text.length + 2));
  for (const [row, text] of texts.entries()) tokens.set(text.subarray(0, length - 2), row * length + 1);
  const encoder = model.architecture.family === "encoder";
  return engine.scope({ record: false }, () => {
    const x = model.encode(engine, {
      ...{ sequences: texts.length, length, tokens, visibleFrom: new Int32Array(tokens.length) },
      // Padding comes last: a decoder never sees it, an encoder must be told.
      ...(encoder && { visibleTo: Int32Array.from(tokens, (_, i) => lengths[Math.floor(i / length)]) }),
    });
    const starts = Int32Array.from(texts, (_, row) => row * length);
    const ends = starts.map((start, row) => start + lengths[row]);
    const rowOf = { cls: starts, eos: ends.map((end) => end - 1), last: ends.map((end) => end - 2) };
    const pooled =
      pooling === "mean"
        ? engine.run(meanRows, { x }, { from: engine.constant(starts), to: engine.constant(ends) }).out
        : engine.run(gatherRows, { x }, { rows: engine.constant(rowOf[pooling]) }).out;
    const out = normalize ? engine.run(l2Normalize, { x: pooled }, {}).out : pooled;
    return engine.backend.read(out.tensor);
  });
}
