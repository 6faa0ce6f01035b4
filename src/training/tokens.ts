/** Token shards as one long stream, cut into sequences; which sequence comes when depends on (seed, step) alone. */
import { type MegatronShard, openMegatronShard } from "../formats/index.ts";
import { permute, TilthError } from "../foundation/index.ts";
import type { TokenBatch } from "../models/index.ts";

/** A batch with what the model should predict: the next token, or −1 where there is none. */
export interface TrainingBatch extends TokenBatch {
  readonly targets: Int32Array;
  /** Targets that count. */
  readonly targetCount: number;
}

/**
 * The tokens of one split. A document is followed by the end-of-text token, which also opens the next document: it
 * belongs to what follows it, so that a model learns how texts begin.
 */
export class TokenStream {
  readonly tokens: number;
  private readonly shard: MegatronShard;
  private readonly name: string;

  /** @param prefix path of the shard without `.bin`/`.idx` */
  constructor(
    prefix: string,
    private readonly endOfText: number,
  ) {
    this.name = prefix;
    this.shard = openMegatronShard(prefix);
    this.tokens = this.shard.tokens;
  }

  /** Whole sequences of `length` tokens, each with a target for every token. */
  sequenceCount(length: number): number {
    return Math.floor((this.tokens - 1) / length);
  }

  /** Throws TilthError where the stream has not one sequence of that length. */
  requireSequences(length: number): number {
    const count = this.sequenceCount(length);
    if (count < 1) {
      throw new TilthError(`${this.name}: ${this.tokens} tokens do not fill one sequence of ${length} tokens`, {
        remedy: "Give it more text, or lower training.sequenceLength.",
      });
    }
    return count;
  }

  /** The sequences of those indices, packed with their document mask. */
  batch(indices: readonly number[], length: number, documentMask: boolean): TrainingBatch {
    const tokens = new Int32Array(indices.length * length);
    const targets = new Int32Array(tokens.length);
    indices.forEach((index, row) => {
      const window = this.shard.readRange(index * length, length + 1);
      tokens.set(window.subarray(0, length), row * length);
      targets.set(window.subarray(1), row * length);
    });
    return {
      sequences: indices.length,
      length,
      tokens,
      targets,
      targetCount: targets.length,
      visibleFrom: documentMask ? documentStarts(tokens, length, this.endOfText) : undefined,
    };
  }

  close(): void {
    this.shard.close();
  }
}

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

/**
 * Sequence indices of the batch that `step` (from 1) consumes: every epoch is a permutation of all sequences, decided by
 * (seed, epoch). Nothing has to be remembered or replayed to continue at any step.
 */
export function sequencesOfStep(step: number, batchSequences: number, sequenceCount: number, seed: number): number[] {
  return Array.from({ length: batchSequences }, (_, slot) => {
    const position = (step - 1) * batchSequences + slot;
    return permute(position % sequenceCount, sequenceCount, seed, Math.floor(position / sequenceCount));
  });
}
