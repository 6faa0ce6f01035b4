/** Sequences cut into shorter ones: the same tokens and targets, with less context (length warmup, Li et al. 2022). */
import { UsageError } from "../foundation/index.ts";
import type { ObjectiveBatch } from "../objectives/index.ts";

/** The batch with every sequence cut into pieces of `length` tokens, which divides its own. */
export function cutShorter(batch: ObjectiveBatch, length: number): ObjectiveBatch {
  if (batch.length === length) return batch;
  if (batch.rows !== undefined || batch.visibleTo !== undefined) {
    throw new UsageError(
      "training.lengthWarmup needs an objective over whole sequences from left to right: next-token",
    );
  }
  // Positions are those within a sequence: a document that began in an earlier piece begins where its piece does.
  const visibleFrom = batch.visibleFrom?.map((from, index) =>
    Math.max(0, from - Math.floor((index % batch.length) / length) * length),
  );
  return { ...batch, sequences: (batch.sequences * batch.length) / length, length, visibleFrom };
}
