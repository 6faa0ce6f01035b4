/** Finding a text by its image and an image by its text: recall@k, and what guessing would reach. */
import type { Engine } from "../engine/index.ts";
import type { Embeddings } from "./contrastive.ts";

/** One direction. Recalls are shares of the queries. */
export interface RecallResult {
  readonly queries: number;
  readonly candidates: number;
  readonly recallAt1: number;
  readonly recallAt5: number;
  readonly recallAt10: number;
  /** Expected recall@1 of a random order. */
  readonly chance: number;
  /** For each query how many wrong candidates come before the first right one. */
  readonly ranks: Int32Array;
}

/** Rows of similarities that are held at once. */
const block = 512;

/**
 * Both directions over unit embeddings of pairs, by cosine. Equal captions are one text: finding it is right for every image
 * that has it, and any image that has it is right for it. Where a wrong candidate is as near as the right one, it counts as
 * nearer.
 */
export async function retrieval(
  engine: Engine,
  { images, texts, width }: Embeddings,
  captions: readonly string[],
): Promise<{ imageToText: RecallResult; textToImage: RecallResult }> {
  const textOf = new Map<string, number>();
  const label = captions.map((caption) => {
    if (!textOf.has(caption)) textOf.set(caption, textOf.size);
    return textOf.get(caption)!;
  });
  const own = new Float32Array(textOf.size * width);
  label.forEach((text, pair) => {
    own.set(texts.subarray(pair * width, (pair + 1) * width), text * width);
  });
  const textLabels = [...textOf.values()];
  return {
    imageToText: recallOf(await ranksOf(engine, images, label, own, textLabels, width), label, textLabels),
    textToImage: recallOf(await ranksOf(engine, own, textLabels, images, label, width), textLabels, label),
  };
}

async function ranksOf(
  engine: Engine,
  queries: Float32Array,
  queryLabels: readonly number[],
  candidates: Float32Array,
  candidateLabels: readonly number[],
  width: number,
): Promise<Int32Array> {
  const count = candidateLabels.length;
  const ranks = new Int32Array(queryLabels.length);
  for (let start = 0; start < queryLabels.length; start += block) {
    const rows = Math.min(block, queryLabels.length - start);
    const similarities = await engine.scope({ record: false }, () => {
      const left = engine.constant(queries.slice(start * width, (start + rows) * width), [rows, width]);
      const right = engine.constant(candidates, [count, width]);
      const out = engine.allocate([rows, count]);
      engine.backend.kernels.matmul(out, left, right, { transposeB: true });
      return engine.backend.read(out);
    });
    for (let row = 0; row < rows; row++) {
      const one = similarities.subarray(row * count, (row + 1) * count);
      const wanted = queryLabels[start + row];
      let best = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < count; i++) if (candidateLabels[i] === wanted) best = Math.max(best, one[i]);
      for (let i = 0; i < count; i++) if (candidateLabels[i] !== wanted && !(one[i] < best)) ranks[start + row] += 1;
    }
  }
  return ranks;
}

function recallOf(ranks: Int32Array, queries: readonly number[], candidates: readonly number[]): RecallResult {
  const share = (k: number) => ranks.reduce((sum, rank) => sum + (rank < k ? 1 : 0), 0) / ranks.length;
  const right = new Map<number, number>();
  for (const label of candidates) right.set(label, (right.get(label) ?? 0) + 1);
  const chance = queries.reduce((sum, label) => sum + (right.get(label) ?? 0) / candidates.length, 0) / queries.length;
  return {
    ...{ queries: queries.length, candidates: candidates.length, ranks, chance },
    ...{ recallAt1: share(1), recallAt5: share(5), recallAt10: share(10) },
  };
}
