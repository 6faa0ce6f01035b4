/** Training of byte-level byte-pair encoding, with incremental pair counts and bounded memory. */
import { InterruptedError, UsageError, type WorkOptions } from "../foundation/index.ts";
import { alphabetOrder } from "./byte-alphabet.ts";
import { Heap } from "./heap.ts";
import { forEachPiece, type PatternName } from "./pre-tokenizer.ts";
import { Tokenizer } from "./tokenizer.ts";

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
}

/**
 * Trains a tokenizer. Counts are doubles, exact to 2⁵³. The pair with the highest count merges first; equal counts go to
 * the lower ids, as Hugging Face's trainer has it. Same text, same tokenizer, on any machine.
 */
export async function trainBytePairEncoding(
  texts: Iterable<string> | AsyncIterable<string>,
  options: BytePairTrainingOptions,
): Promise<Tokenizer> {
  const { specialTokens, vocabularySize, pattern } = options;
  const base = specialTokens.length + 256;
  if (vocabularySize < base) {
    throw new UsageError(`a vocabulary of ${vocabularySize} is too small: ${base} tokens are bytes and special tokens`);
  }
  const counts = await countPieces(texts, options);
  const encoder = new TextEncoder();
  const tokens: Uint8Array[] = specialTokens.map((text) => encoder.encode(text));
  // Bytes in the order of GPT-2's printable alphabet, which is the order of ids in Hugging Face's trainer.
  const byteIds = new Int32Array(256);
  for (const byte of alphabetOrder()) byteIds[byte] = tokens.push(Uint8Array.of(byte)) - 1;
  const words = new Words(counts, byteIds, encoder);
  const merges = mergePairs(words, tokens, options);
  return new Tokenizer({
    pattern,
    tokens,
    merges,
    specialTokens: new Map(specialTokens.map((text, id) => [text, id])),
  });
}

async function countPieces(
  texts: Iterable<string> | AsyncIterable<string>,
  options: BytePairTrainingOptions,
): Promise<Map<string, number>> {
  const limit = options.maximumDistinctPieces ?? 2_000_000;
  let counts = new Map<string, number>();
  let done = 0;
  for await (const text of texts) {
    if (options.signal?.aborted) throw new InterruptedError("tokenizer training was stopped; nothing was written");
    forEachPiece(text, options.pattern, (piece) => {
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    });
    if (counts.size > limit) counts = new Map(sortedByCount(counts).slice(0, limit >> 1));
    done += text.length;
    options.onProgress?.({ stage: "counting pieces", done, unit: "characters" });
  }
  return counts;
}

function sortedByCount(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

/** All distinct pieces as id sequences in one array. */
class Words {
  readonly symbols: Int32Array;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly counts: Float64Array;

  constructor(pieces: Map<string, number>, byteIds: Int32Array, encoder: InstanceType<typeof TextEncoder>) {
    const encoded = sortedByCount(pieces).map(([piece, count]) => ({ bytes: encoder.encode(piece), count }));
    this.symbols = new Int32Array(encoded.reduce((sum, { bytes }) => sum + bytes.length, 0));
    this.starts = new Int32Array(encoded.length);
    this.lengths = new Int32Array(encoded.length);
    this.counts = new Float64Array(encoded.length);
    let at = 0;
    encoded.forEach(({ bytes, count }, word) => {
      this.starts[word] = at;
      this.lengths[word] = bytes.length;
      this.counts[word] = count;
      for (const byte of bytes) this.symbols[at++] = byteIds[byte];
    });
  }
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words in which the pair was seen; some may have lost it since. */
  readonly words: Set<number>;
}

function mergePairs(words: Words, tokens: Uint8Array[], options: BytePairTrainingOptions) {
  const { vocabularySize } = options;
  const minimum = options.minimumFrequency ?? 2;
  const pairs = new Map<number, Pair>();
  const keyOf = (left: number, right: number) => left * vocabularySize + right;
  const touched = new Set<Pair>();
  const change = (left: number, right: number, by: number, word: number) => {
    const key = keyOf(left, right);
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, words: new Set() };
      pairs.set(key, pair);
    }
    pair.count += by;
    if (by > 0) pair.words.add(word);
    touched.add(pair);
  };
  const heap = new Heap<{ pair: Pair; count: number }>(
    (a, b) =>
      a.count > b.count ||
      (a.count === b.count &&
        (a.pair.left < b.pair.left || (a.pair.left === b.pair.left && a.pair.right < b.pair.right))),
  );
  const queueTouched = () => {
    for (const pair of touched) if (pair.count >= minimum) heap.push({ pair, count: pair.count });
    touched.clear();
  };
  const { symbols, starts, lengths, counts } = words;
  for (let word = 0; word < starts.length; word++) {
    const end = starts[word] + lengths[word] - 1;
    for (let i = starts[word]; i < end; i++) change(symbols[i], symbols[i + 1], counts[word], word);
  }
  queueTouched();

  const merges: { left: number; right: number; merged: number }[] = [];
  const identities = new Map<string, number>(tokens.map((bytes, id) => [Buffer.from(bytes).toString("latin1"), id]));
  while (tokens.length < vocabularySize) {
    const top = heap.pop();
    if (top === undefined) break;
    const { pair } = top;
    if (pair.count !== top.count) continue; // an older entry of the same pair
    const bytes = Buffer.concat([tokens[pair.left], tokens[pair.right]]);
    const identity = bytes.toString("latin1");
    // Two merges can give the same bytes; they are one token.
    const merged = identities.get(identity) ?? tokens.push(bytes) - 1;
    identities.set(identity, merged);
    merges.push({ left: pair.left, right: pair.right, merged });
    for (const word of pair.words) mergeInWord(words, word, pair, merged, change);
    pair.words.clear();
    pairs.delete(keyOf(pair.left, pair.right));
    pair.count = Number.NaN; // entries of it that are still queued are stale now
    touched.delete(pair);
    queueTouched();
    options.onProgress?.({ stage: "merging pairs", done: tokens.length, total: vocabularySize, unit: "tokens" });
  }
  return merges;
}

function mergeInWord(
  words: Words,
  word: number,
  pair: Pair,
  merged: number,
  change: (left: number, right: number, by: number, word: number) => void,
): void {
  const { symbols, starts, lengths, counts } = words;
  const start = starts[word];
  const length = lengths[word];
  const count = counts[word];
  let to = start;
  for (let i = start; i < start + length; ) {
    const matches = i + 1 < start + length && symbols[i] === pair.left && symbols[i + 1] === pair.right;
    if (!matches) {
      symbols[to++] = symbols[i++];
      continue;
    }
    if (to > start) {
      change(symbols[to - 1], pair.left, -count, word);
      change(symbols[to - 1], merged, count, word);
    }
    const after = i + 2;
    if (after < start + length) {
      change(pair.right, symbols[after], -count, word);
      change(merged, symbols[after], count, word);
    }
    symbols[to++] = merged;
    i = after;
  }
  lengths[word] = to - start;
}
