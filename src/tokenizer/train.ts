/** Training of byte-level byte-pair encoding, with incremental pair counts and bounded memory. */
import { UsageError, type WorkOptions } from "../foundation/index.ts";
import { alphabetOrder } from "./byte-alphabet.ts";
import { BytePairTokenizer } from "./byte-pair.ts";
import { countPieces } from "./count-pieces.ts";
import { mergePairs } from "./merge-pairs.ts";
import { prepareTokenizerKernels } from "./native.ts";
import type { PatternName } from "./pre-tokenizer.ts";

export interface BytePairTrainingOptions extends WorkOptions {
  /** Tokens wanted, special tokens and the 256 bytes included. Fewer come out where the text has no more pairs. */
  readonly vocabularySize: number;
  readonly specialTokens: readonly string[];
  readonly pattern: PatternName;
  /**
   * Distinct pieces held at most. Beyond it the rarest are forgotten (half of them, ties by text), so that memory does
   * not grow with the corpus. Default 2,000,000.
   */
  readonly maximumDistinctPieces?: number;
  /** A pair must occur this often to merge. Default 2. */
  readonly minimumFrequency?: number;
  /** Threads that count; the result does not depend on it. All processors if left out. */
  readonly threads?: number;
}

/** Trains a tokenizer. Same text, same tokenizer, on any machine, with native kernels or without. */
export async function trainBytePairEncoding(
  texts: Iterable<string> | AsyncIterable<string>,
  options: BytePairTrainingOptions,
): Promise<BytePairTokenizer> {
  const { specialTokens, vocabularySize, pattern } = options;
  const base = specialTokens.length + 256;
  if (vocabularySize < base) {
    throw new UsageError(`a vocabulary of ${vocabularySize} is too small: ${base} tokens are bytes and special tokens`);
  }
  await prepareTokenizerKernels();
  const { maximumDistinctPieces = 2_000_000, minimumFrequency = 2 } = options;
  const { bytes, offsets, counts } = await countPieces(texts, { ...options, maximumDistinctPieces });
  const encoder = new TextEncoder();
  const tokens: Uint8Array[] = specialTokens.map((text) => encoder.encode(text));
  // Bytes in the order of GPT-2's printable alphabet, which is the order of ids in Hugging Face's trainer.
  const byteIds = new Int32Array(256);
  for (const byte of alphabetOrder()) byteIds[byte] = tokens.push(Uint8Array.of(byte)) - 1;
  const words = { symbols: Int32Array.from(bytes, (byte) => byteIds[byte]), starts: offsets, counts };
  const merges = mergePairs(words, tokens, { ...options, minimumFrequency, prefixBytes: 0 });
  return new BytePairTokenizer({
    pattern,
    tokens,
    merges,
    specialTokens: new Map(specialTokens.map((text, id) => [text, id])),
  });
}
