/** Token rows of unequal length as one batch. */
import type { LanguageModel, TokenBatch } from "../models/index.ts";

/** Rows padded at their end to the longest; padding is seen by nothing that counts. */
export function paddedBatch(model: LanguageModel, rows: readonly Int32Array[], padding: number): TokenBatch {
  const length = Math.max(...rows.map((row) => row.length));
  const tokens = new Int32Array(rows.length * length).fill(padding);
  rows.forEach((row, index) => void tokens.set(row, index * length));
  // Padding comes last: a decoder never sees it, an encoder must be told.
  if (model.architecture.family === "decoder") return { sequences: rows.length, length, tokens };
  const visibleTo = Int32Array.from(tokens, (_, i) => rows[Math.floor(i / length)].length);
  return { sequences: rows.length, length, tokens, visibleFrom: new Int32Array(tokens.length), visibleTo };
}
