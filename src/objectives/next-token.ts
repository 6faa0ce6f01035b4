/** Next-token prediction (GPT), with fill-in-the-middle as an option. */
import { z } from "zod";
import type { Engine, Variable } from "../engine/index.ts";
import { Random } from "../foundation/index.ts";
import type { LanguageModel, TokenBatch } from "../models/index.ts";
import { fillInTheMiddleSettings, fillInTheMiddleTokens, rearranged } from "./fill-in-the-middle.ts";
import { headLoss, type ObjectiveDefinition } from "./objective.ts";
import { documentStarts } from "./sequences.ts";

/** What the objective needs of a batch: the next token at each position, or a negative number where none counts. */
export interface NextTokenBatch extends TokenBatch {
  readonly targets: Int32Array;
}

/**
 * Next-token prediction (GPT). Returns the summed cross-entropy over `normalizer` targets as the loss, and the loss of
 * every token in nats.
 */
export function nextTokenLoss(
  engine: Engine,
  model: LanguageModel,
  batch: NextTokenBatch,
  normalizer: number,
  zLoss?: number,
): { loss: Variable; losses: Variable } {
  return headLoss(engine, model.forward(engine, batch), batch.targets, normalizer, zLoss);
}

const settings = z.strictObject({
  fillInTheMiddle: fillInTheMiddleSettings.optional().describe("rearranges documents; off if left out"),
});

/** Every token from those before it, in its own document. */
export const nextToken: ObjectiveDefinition<z.infer<typeof settings>> = {
  name: "next-token",
  summary: "each token from those before it (GPT); fill-in-the-middle as an option",
  families: ["decoder"],
  settings,
  specialTokens: ({ fillInTheMiddle }) => (fillInTheMiddle === undefined ? [] : fillInTheMiddleTokens),
  create: ({ fillInTheMiddle }) => ({
    name: "next-token",
    headShare: 1,
    reportsAccuracy: false,
    draw(source, sequences, { sequenceLength: length, documentMask }, keys, positions = sequences) {
      const { vocabulary } = source;
      const tokens = new Int32Array(sequences.length * length);
      const targets = new Int32Array(tokens.length);
      sequences.forEach((sequence, row) => {
        let window = source.read(sequence * length, length + 1);
        if (fillInTheMiddle !== undefined) {
          window = rearranged(window, vocabulary, fillInTheMiddle, new Random(...keys, positions[row]));
        }
        tokens.set(window.subarray(0, length), row * length);
        targets.set(window.subarray(1), row * length);
      });
      const visibleFrom = documentMask ? documentStarts(tokens, length, vocabulary.endOfText) : undefined;
      return { sequences: sequences.length, length, tokens, targets, targetCount: targets.length, visibleFrom };
    },
    losses: (engine, model, batch, normalizer, zLoss) => [nextTokenLoss(engine, model, batch, normalizer, zLoss).loss],
  }),
};
