/** Domain text with a share of general text, so that a continued model does not forget (Ibrahim et al. 2024). */
import { replayedBefore, sequencesWithReplay, type Vocabulary } from "../objectives/index.ts";
import type { TokenStream, TrainingTokens } from "./tokens.ts";

/**
 * Two streams of the same tokenizer as one: the domain's sequences come first, those that are replayed after them. Which comes when
 * follows from (seed, position) alone.
 */
export class ReplayTokens implements TrainingTokens {
  readonly vocabulary: Vocabulary;

  /** @param share of all sequences that are replayed, below 1 */
  constructor(
    private readonly domain: TokenStream,
    private readonly replay: TokenStream,
    private readonly share: number,
    private readonly sequenceLength: number,
  ) {
    this.vocabulary = domain.vocabulary;
  }

  /** Where the replayed tokens begin: a whole number of sequences, so that index · length is a sequence's place. */
  private get boundary(): number {
    return this.domain.requireSequences(this.sequenceLength) * this.sequenceLength;
  }

  get tokens(): number {
    return this.boundary + this.replay.tokens;
  }

  requireSequences(length: number): number {
    return this.domain.requireSequences(length) + this.replay.requireSequences(length);
  }

  sequencesAt(first: number, count: number, length: number, seed: number): number[] {
    const counts = { domain: this.domain.requireSequences(length), replay: this.replay.requireSequences(length) };
    return sequencesWithReplay(first, count, counts, this.share, seed).map(({ replayed, sequence }) =>
      replayed ? counts.domain + sequence : sequence,
    );
  }

  replayedAt(first: number, count: number): number {
    return replayedBefore(first + count, this.share) - replayedBefore(first, this.share);
  }

  read(start: number, count: number): Int32Array {
    const { boundary } = this;
    if (start >= boundary) return this.replay.read(start - boundary, count);
    // The last sequence's last target is one token beyond the boundary: still the domain's own.
    return this.domain.read(start, count);
  }
}
