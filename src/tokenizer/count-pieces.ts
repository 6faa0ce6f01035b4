/** Counting the distinct pieces of texts in memory that does not grow with the corpus: the first half of BPE training. */
import { availableParallelism } from "node:os";
import { InterruptedError, type WorkOptions } from "../foundation/index.ts";
import { packTexts, patternNumber, type TokenizerLibrary, tokenizerLibrary } from "./native.ts";
import { forEachPiece, type PatternName } from "./pre-tokenizer.ts";

/** Distinct pieces, most frequent first, equal ones by their bytes: piece i from `offsets[i]` to `offsets[i + 1]`. */
export interface PieceCounts {
  readonly bytes: Uint8Array;
  readonly offsets: BigInt64Array;
  readonly counts: Float64Array;
}

export interface CountOptions extends WorkOptions {
  readonly pattern: PatternName;
  /** Distinct pieces held at most; beyond it the rarer half is forgotten, after a whole batch. */
  readonly maximumDistinctPieces: number;
  readonly threads?: number;
}

/** Characters of a batch: the same for native and reference, since pieces are forgotten between batches. */
const batchCharacters = 1 << 22;

/** Counts all pieces. Throws InterruptedError where `signal` is aborted. */
export async function countPieces(
  texts: Iterable<string> | AsyncIterable<string>,
  options: CountOptions,
): Promise<PieceCounts> {
  const library = tokenizerLibrary();
  const counter = library === undefined ? new ReferenceCounter(options) : new NativeCounter(library, options);
  try {
    let batch: string[] = [];
    let [pending, done] = [0, 0];
    const flush = () => {
      counter.add(batch);
      batch = [];
      pending = 0;
      options.onProgress?.({ stage: "counting pieces", done, unit: "characters" });
    };
    for await (const text of texts) {
      if (options.signal?.aborted) throw new InterruptedError("tokenizer training was stopped; nothing was written");
      batch.push(text);
      pending += text.length;
      done += text.length;
      if (pending >= batchCharacters) flush();
    }
    flush();
    return counter.take();
  } finally {
    counter.free();
  }
}

class NativeCounter {
  private readonly handle: number | bigint;

  constructor(
    private readonly library: TokenizerLibrary,
    private readonly options: CountOptions,
  ) {
    this.handle = library.counter_create(patternNumber(options.pattern), options.maximumDistinctPieces);
  }

  add(texts: readonly string[]): void {
    const { bytes, offsets } = packTexts(texts);
    const threads = this.options.threads ?? availableParallelism();
    this.library.counter_feed(this.handle, bytes, offsets, texts.length, threads);
  }

  take(): PieceCounts {
    const count = Number(this.library.counter_pieces(this.handle));
    const bytes = new Uint8Array(Number(this.library.counter_bytes(this.handle)));
    const offsets = new BigInt64Array(count + 1);
    const counts = new Float64Array(count);
    this.library.counter_take(this.handle, bytes, offsets, counts);
    return { bytes, offsets, counts };
  }

  free(): void {
    this.library.counter_free(this.handle);
  }
}

class ReferenceCounter {
  private counts = new Map<string, number>();

  constructor(private readonly options: CountOptions) {}

  add(texts: readonly string[]): void {
    for (const text of texts) {
      forEachPiece(text, this.options.pattern, (piece) => {
        this.counts.set(piece, (this.counts.get(piece) ?? 0) + 1);
      });
    }
    const { maximumDistinctPieces } = this.options;
    if (this.counts.size > maximumDistinctPieces) {
      const kept = sortedPieces(this.counts).slice(0, maximumDistinctPieces >> 1);
      this.counts = new Map(kept.map(({ bytes, count }) => [bytes.toString(), count]));
    }
  }

  take(): PieceCounts {
    return packPieces(this.counts);
  }

  free(): void {}
}

/** Counts by text in the order and form of `PieceCounts`. */
export function packPieces(pieces: ReadonlyMap<string, number>): PieceCounts {
  const sorted = sortedPieces(pieces);
  const offsets = new BigInt64Array(sorted.length + 1);
  for (const [i, { bytes }] of sorted.entries()) offsets[i + 1] = offsets[i] + BigInt(bytes.length);
  return {
    bytes: Buffer.concat(sorted.map(({ bytes }) => bytes)),
    offsets,
    counts: Float64Array.from(sorted, ({ count }) => count),
  };
}

function sortedPieces(pieces: ReadonlyMap<string, number>): { bytes: Buffer; count: number }[] {
  return [...pieces]
    .map(([piece, count]) => ({ bytes: Buffer.from(piece), count }))
    .sort((a, b) => b.count - a.count || Buffer.compare(a.bytes, b.bytes));
}
