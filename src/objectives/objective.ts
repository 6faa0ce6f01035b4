/** What an objective over text is: what it draws from the data, and its loss. One file an objective, one line in index.ts. */
import type { z } from "zod";
import { type Engine, headCrossEntropy, headCrossEntropyWithBias, type Variable } from "../engine/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { HiddenStates, LanguageModel, ModelFamily, TokenBatch } from "../models/index.ts";

/** What an objective knows of the tokenizer. */
export interface Vocabulary {
  readonly size: number;
  /** Opens and ends every document. */
  readonly endOfText: number;
  /** Ids of special tokens by their text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** Whether a token begins a word; false for the later pieces of one. */
  startsWord(id: number): boolean;
}

/** One split of token shards, as an objective reads it. */
export interface TokenSource {
  readonly tokens: number;
  readonly vocabulary: Vocabulary;
  /** `count` tokens from position `start` on; both must be within the stream. */
  read(start: number, count: number): Int32Array;
}

/** A batch with what the model should predict in it. */
export interface ObjectiveBatch extends TokenBatch {
  /** The id to predict at each row that the head runs over (`rows`, else all); negative where none counts. */
  readonly targets: Int32Array;
  /** Targets that count. */
  readonly targetCount: number;
}

/** How sequences are cut. Lengths in tokens. */
export interface SequencePlan {
  readonly sequenceLength: number;
  /** Whether a token sees only its own document. */
  readonly documentMask: boolean;
}

/** An objective with its settings. */
export interface TextObjective {
  readonly name: string;
  /** Share of the tokens for which the output head runs. */
  readonly headShare: number;
  /**
   * The batch of those sequences (sequence i starts at token i · sequenceLength). Whatever is random in row r follows from
   * `keys` and `positions[r]` alone, so that any step can be drawn again without the ones before it.
   */
  draw(
    source: TokenSource,
    sequences: readonly number[],
    plan: SequencePlan,
    keys: readonly number[],
    positions?: readonly number[],
  ): ObjectiveBatch;
  /** Losses whose sum is minimised: Σ over the batch's targets / normalizer first, in nats a target, with z-loss of that weight. */
  losses(
    engine: Engine,
    model: LanguageModel,
    batch: ObjectiveBatch,
    normalizer: number,
    zLoss?: number,
  ): readonly Variable[];
  /** Whether the share of targets that are the likeliest token is worth reporting at validation. */
  readonly reportsAccuracy: boolean;
}

/** What the registry says of every objective. */
export interface ObjectiveEntry<Settings = unknown> {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly families: readonly (ModelFamily | "image-text")[];
  /** Settings beside `kind`. */
  readonly settings: z.ZodType<Settings>;
}

/** An objective over text as the registry holds it. */
export interface ObjectiveDefinition<Settings = unknown> extends ObjectiveEntry<Settings> {
  readonly families: readonly ModelFamily[];
  /** Special tokens that its tokenizer must have beside `<|endoftext|>`. */
  specialTokens(settings: Settings, sequenceLength: number): readonly string[];
  create(settings: Settings): TextObjective;
}

/** The id of a special token. Throws TilthError where the tokenizer has none of that text. */
export function specialToken(vocabulary: Vocabulary, text: string, objective: string): number {
  const id = vocabulary.specialTokens.get(text);
  if (id === undefined) {
    throw new TilthError(
      `the objective ${objective} needs the special token ${text}, which the tokenizer does not have`,
      {
        remedy: "Train a tokenizer for this objective: tilth train does so from the configuration.",
      },
    );
  }
  return id;
}

/** The head's cross-entropy over the given targets: Σ / normalizer, and each in nats. */
export function headLoss(
  engine: Engine,
  { hidden, head, headBias }: HiddenStates,
  targets: Int32Array,
  normalizer: number,
  zLoss?: number,
): { readonly loss: Variable; readonly losses: Variable } {
  const options = { targets: engine.constant(targets), normalizer, zLoss };
  return headBias === undefined
    ? engine.run(headCrossEntropy, { x: hidden, weight: head }, options)
    : engine.run(headCrossEntropyWithBias, { x: hidden, weight: head, bias: headBias }, options);
}
