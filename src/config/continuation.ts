/** How a run continues a model: learning rate, replay, tokenizer, context. */
import { z } from "zod";
import { positiveInteger, settingsObject } from "../foundation/index.ts";
import { ropeScalingKinds } from "../models/index.ts";

/** Beside `continueFrom`. The optimizer's state starts fresh: Hugging Face folders have none. */
export const continuationConfiguration = settingsObject("continuation", {
  peakOfBase: z
    .number()
    .positive()
    .optional()
    .describe("the highest learning rate as a share of the base's highest, instead of training.learningRate"),
  baseLearningRate: z
    .number()
    .positive()
    .optional()
    .describe("the base's highest learning rate, where no run.json above its folder tells it"),
  replay: settingsObject("replay", {
    from: z
      .string()
      .min(1)
      .describe("general text: a run's folder, a corpus, or a folder of token shards of the same tokenizer"),
    share: z.number().gt(0).lt(1).default(0.05).describe("of all sequences that train"),
  })
    .optional()
    .describe("general text among the run's own, against forgetting; none if left out"),
  extendTokenizer: positiveInteger
    .optional()
    .describe(
      "tokens learned from the run's corpus and added to the base's byte-level BPE; it is kept as it is if left out",
    ),
  context: positiveInteger.optional().describe("tokens of the longest context, beyond the base's"),
  ropeScaling: z
    .looseObject({ kind: z.enum(ropeScalingKinds as [string, ...string[]]) })
    .optional()
    .describe("how positions turn in the longer context; factor and original context follow from the base"),
  ropeTheta: z.number().positive().optional().describe("the base of rotary frequencies in the longer context"),
  acceptRisk: z
    .boolean()
    .default(false)
    .describe("train also with settings that are known to lose what the base knows"),
});

export type ContinuationConfiguration = z.output<typeof continuationConfiguration>;
