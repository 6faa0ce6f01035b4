/** A ladder of small models that a scaling law is fitted to: which sizes see how many tokens, and at which learning rate. */
import { z } from "zod";
import { settingsObject } from "../foundation/index.ts";

const positive = z.number().positive();

/** What a ladder file has beside a run's own settings. */
export const ladderSettings = settingsObject("ladder", {
  sizes: z
    .array(
      z.strictObject({
        /** Over the run's `model`: layers, width, attentionHeads, … */
        model: z.record(z.string(), z.unknown()),
        /** Training tokens of this size; those of the ladder if left out. */
        tokens: z.array(positive).min(1).optional(),
      }),
    )
    .min(2)
    .describe("models, as changes of the run's own"),
  tokens: z
    .array(positive)
    .min(1)
    .describe("training tokens of every size: not proportional to it, or no law can be told"),
  learningRate: settingsObject("ladder's learningRate", {
    reference: positive.describe("the highest rate at the reference width"),
    width: positive.describe("the reference width"),
    exponent: z
      .number()
      .default(0.5)
      .describe("how fast it falls: rate = reference · (reference width / width)^exponent"),
  }),
});

export type LadderSettings = z.output<typeof ladderSettings>;

/** One model to train. */
export interface LadderRung {
  /** Its folder's name. */
  readonly name: string;
  readonly model: Readonly<Record<string, unknown>>;
  readonly steps: number;
  /** steps · tokensPerStep: what it is trained on, to a whole number of steps. */
  readonly tokens: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
}

/**
 * The rungs of a ladder, in the order of its file. The learning rate follows the stated rule; warmup takes at most a tenth of
 * a run.
 * @param widthOf the model's width with the run's own settings under the changes
 */
export function ladderRungs(
  { sizes, tokens: common, learningRate: rule }: LadderSettings,
  run: {
    readonly tokensPerStep: number;
    readonly warmupSteps: number;
    widthOf(model: Readonly<Record<string, unknown>>): number;
  },
): LadderRung[] {
  return sizes.flatMap(({ model, tokens = common }, size) =>
    tokens.map((wanted) => {
      const steps = Math.max(1, Math.round(wanted / run.tokensPerStep));
      return {
        name: `size-${size + 1}-steps-${steps}`,
        model,
        steps,
        tokens: steps * run.tokensPerStep,
        learningRate: rule.reference * (rule.width / run.widthOf(model)) ** rule.exponent,
        warmupSteps: Math.min(run.warmupSteps, Math.floor(steps / 10)),
      };
    }),
  );
}
