/** Sequences of a token stream: which come when, and where their documents begin and end. */
import { mixKeys, permute } from "../foundation/index.ts";

/** For each token the position, within its sequence, where its document begins: at the last end-of-text up to it. */
export function documentStarts(tokens: Int32Array, length: number, endOfText: number): Int32Array {
  const starts = new Int32Array(tokens.length);
  let start = 0;
  for (let i = 0; i < tokens.length; i++) {
    const position = i % length;
    if (position === 0) start = 0;
    if (tokens[i] === endOfText) start = position;
    starts[i] = start;
  }
  return starts;
}

/** For each token one past the last position, within its sequence, of its document (see `documentStarts`). */
export function documentEnds(starts: Int32Array, length: number): Int32Array {
  const ends = new Int32Array(starts.length);
  for (let i = starts.length - 1; i >= 0; i--) {
    const last = i % length === length - 1 || starts[i + 1] !== starts[i];
    ends[i] = last ? (i % length) + 1 : ends[i + 1];
  }
  return ends;
}

/**
 * `count` sequence indices from position `first` in the order of data: every epoch is a permutation of all sequences, decided
 * by (seed, epoch). Nothing has to be remembered or replayed to continue anywhere.
 */
export function sequencesFrom(first: number, count: number, sequenceCount: number, seed: number): number[] {
  return Array.from({ length: count }, (_, slot) => {
    const position = first + slot;
    return permute(position % sequenceCount, sequenceCount, seed, Math.floor(position / sequenceCount));
  });
}

/** Sequence indices of the batch that `step` (from 1) consumes where all batches have that size. */
export function sequencesOfStep(step: number, batchSequences: number, sequenceCount: number, seed: number): number[] {
  return sequencesFrom((step - 1) * batchSequences, batchSequences, sequenceCount, seed);
}

/**
 * How many of the first `position` sequences of a run are replayed where `share` of all are: spread evenly, so that the count is
 * exact after every sequence.
 */
export function replayedBefore(position: number, share: number): number {
  // What rounding took from a whole number.
  return Math.floor(position * share + 1e-9);
}

/** Where a sequence of a run with replay comes from. */
export interface PlacedSequence {
  readonly replayed: boolean;
  /** Index among the sequences of its part. */
  readonly sequence: number;
}

/** As `sequencesFrom` over two parts, each in an order of its own: those of the domain, and the share that is replayed. */
export function sequencesWithReplay(
  first: number,
  count: number,
  counts: { readonly domain: number; readonly replay: number },
  share: number,
  seed: number,
): PlacedSequence[] {
  return Array.from({ length: count }, (_, slot) => {
    const position = first + slot;
    const before = replayedBefore(position, share);
    const replayed = replayedBefore(position + 1, share) > before;
    const [sequence] = replayed
      ? sequencesFrom(before, 1, counts.replay, replaySeed(seed))
      : sequencesFrom(position - before, 1, counts.domain, seed);
    return { replayed, sequence };
  });
}

/** The two parts must not be read in the same order where they are of the same size. */
const replaySeed = (seed: number) => mixKeys(seed, 0x4e91a7);
