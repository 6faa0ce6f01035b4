/** Token shards as one long stream, cut into sequences. */
import { type MegatronShard, openMegatronShard } from "../formats/index.ts";
import { TilthError } from "../foundation/index.ts";
import { sequencesFrom, type TokenSource, type Vocabulary } from "../objectives/index.ts";

/** What batches are drawn from: sequences of a length, by index, and which of them come when. */
export interface TrainingTokens extends TokenSource {
  /** How many sequences of `length` tokens there are. Throws TilthError where there is none. */
  requireSequences(length: number): number;
  /** The `count` sequences from position `first` on in the order of data. */
  sequencesAt(first: number, count: number, length: number, seed: number): number[];
  /** Of those, how many are replayed general text; absent where nothing is. */
  replayedAt?(first: number, count: number): number;
}

/**
 * The tokens of one split. A document is followed by the end-of-text token, which also opens the next document: it
 * belongs to what follows it, so that a model learns how texts begin.
 */
export class TokenStream implements TrainingTokens {
  readonly tokens: number;
  private readonly shard: MegatronShard;
  private readonly name: string;

  /** @param prefix path of the shard without `.bin`/`.idx` */
  constructor(
    prefix: string,
    readonly vocabulary: Vocabulary,
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

  sequencesAt(first: number, count: number, length: number, seed: number): number[] {
    return sequencesFrom(first, count, this.requireSequences(length), seed);
  }

  read(start: number, count: number): Int32Array {
    return this.shard.readRange(start, count);
  }

  close(): void {
    this.shard.close();
  }
}
