/** Merging the most frequent pair again and again: the second half of BPE training, and of WordPiece's. */
import { InterruptedError, type WorkOptions } from "../foundation/index.ts";
import { Heap } from "./heap.ts";
import { type TokenizerLibrary, tokenizerLibrary } from "./native.ts";

/** Distinct words as sequences of ids in one array; word w from `starts[w]` to `starts[w + 1]`. */
export interface SymbolWords {
  readonly symbols: Int32Array;
  readonly starts: BigInt64Array;
  readonly counts: Float64Array;
}

export interface MergeOptions extends WorkOptions {
  readonly vocabularySize: number;
  /** A pair must occur this often to merge. */
  readonly minimumFrequency: number;
  /** Bytes that the right side of a merge loses: those of WordPiece's "##". */
  readonly prefixBytes: number;
  /** Merges in TypeScript even where the native kernels are loaded. */
  readonly reference?: boolean;
}

/** Ids of a merge. */
export interface MergedPair {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

const mergesOfTurn = 256;

/**
 * The merges in order; `tokens` (bytes by id) grows by what they make. The pair with the highest count merges first; equal
 * counts go to the lower ids, as Hugging Face's trainer has it. Counts are exact to 2⁵³.
 */
export function mergePairs(words: SymbolWords, tokens: Uint8Array[], options: MergeOptions): MergedPair[] {
  const library = options.reference ? undefined : tokenizerLibrary();
  const merger =
    library === undefined ? referenceMerger(words, tokens, options) : nativeMerger(library, words, tokens, options);
  const merges: MergedPair[] = [];
  try {
    for (;;) {
      if (options.signal?.aborted) throw new InterruptedError("tokenizer training was stopped; nothing was written");
      const turn = merger.run();
      for (const merge of turn) {
        merges.push(merge);
        if (merge.merged !== tokens.length) continue;
        tokens.push(joined(tokens[merge.left], tokens[merge.right], options.prefixBytes));
      }
      options.onProgress?.({
        stage: "merging pairs",
        done: tokens.length,
        total: options.vocabularySize,
        unit: "tokens",
      });
      if (turn.length === 0 || tokens.length >= options.vocabularySize) return merges;
    }
  } finally {
    merger.free();
  }
}

function joined(left: Uint8Array, right: Uint8Array, prefixBytes: number): Uint8Array {
  return Buffer.concat([left, right.subarray(prefixBytes)]);
}

interface Merger {
  /** Some merges more; none at the end. */
  run(): MergedPair[];
  free(): void;
}

function nativeMerger(
  library: TokenizerLibrary,
  { symbols, starts, counts }: SymbolWords,
  tokens: readonly Uint8Array[],
  { vocabularySize, minimumFrequency, prefixBytes }: MergeOptions,
): Merger {
  const offsets = new BigInt64Array(tokens.length + 1);
  for (const [id, bytes] of tokens.entries()) offsets[id + 1] = offsets[id] + BigInt(bytes.length);
  const handle = library.merger_create(
    symbols,
    starts,
    counts,
    counts.length,
    tokens.length,
    offsets,
    Buffer.concat(tokens as Uint8Array[]),
    prefixBytes,
    minimumFrequency,
  );
  const [left, right, merged] = [0, 1, 2].map(() => new Int32Array(mergesOfTurn));
  return {
    run() {
      const done = Number(library.merger_run(handle, mergesOfTurn, vocabularySize, left, right, merged));
      return Array.from({ length: done }, (_, i) => ({ left: left[i], right: right[i], merged: merged[i] }));
    },
    free: () => void library.merger_free(handle),
  };
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words in which the pair was seen; some may have lost it since. */
  readonly words: Set<number>;
}

/** The specification of the native merger. */
function referenceMerger(words: SymbolWords, known: readonly Uint8Array[], options: MergeOptions): Merger {
  const { vocabularySize, minimumFrequency, prefixBytes } = options;
  const tokens = [...known];
  const symbols = words.symbols.slice();
  const lengths = Int32Array.from(words.counts, (_, w) => Number(words.starts[w + 1] - words.starts[w]));
  const starts = Float64Array.from(words.counts, (_, w) => Number(words.starts[w]));
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
    for (const pair of touched)
      if (pair.count >= minimumFrequency && pair.count > 0) heap.push({ pair, count: pair.count });
    touched.clear();
  };
  const mergeInWord = (word: number, pair: Pair, merged: number) => {
    const start = starts[word];
    const end = start + lengths[word];
    const count = words.counts[word];
    let to = start;
    for (let i = start; i < end; ) {
      if (i + 1 >= end || symbols[i] !== pair.left || symbols[i + 1] !== pair.right) {
        symbols[to++] = symbols[i++];
        continue;
      }
      if (to > start) {
        change(symbols[to - 1], pair.left, -count, word);
        change(symbols[to - 1], merged, count, word);
      }
      const after = i + 2;
      if (after < end) {
        change(pair.right, symbols[after], -count, word);
        change(merged, symbols[after], count, word);
      }
      symbols[to++] = merged;
      i = after;
    }
    lengths[word] = to - start;
  };
  for (let word = 0; word < starts.length; word++) {
    const end = starts[word] + lengths[word] - 1;
    for (let i = starts[word]; i < end; i++) change(symbols[i], symbols[i + 1], words.counts[word], word);
  }
  queueTouched();
  const identities = new Map(tokens.map((bytes, id) => [Buffer.from(bytes).toString("latin1"), id]));
  const next = (): MergedPair | undefined => {
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const { pair } = top;
      if (pair.count !== top.count) continue; // an older entry of the same pair
      const bytes = joined(tokens[pair.left], tokens[pair.right], prefixBytes);
      const identity = Buffer.from(bytes).toString("latin1");
      // Two merges can give the same bytes; they are one token.
      const merged = identities.get(identity) ?? tokens.push(bytes) - 1;
      identities.set(identity, merged);
      for (const word of pair.words) mergeInWord(word, pair, merged);
      pairs.delete(keyOf(pair.left, pair.right));
      pair.count = Number.NaN; // entries of it that are still queued are stale now
      touched.delete(pair);
      queueTouched();
      return { left: pair.left, right: pair.right, merged };
    }
    return undefined;
  };
  return {
    run() {
      const turn: MergedPair[] = [];
      while (turn.length < mergesOfTurn && tokens.length < vocabularySize) {
        const merge = next();
        if (merge === undefined) break;
        turn.push(merge);
      }
      return turn;
    },
    free() {},
  };
}
