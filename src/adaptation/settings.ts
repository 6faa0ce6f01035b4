/** What every adaptation is told about its steps, whatever it learns. */
import { z } from "zod";
import { positiveInteger, settingsObject } from "../foundation/index.ts";
import { guardSettings } from "./guards/index.ts";
import { loraSettings } from "./lora/index.ts";

/** How an adaptation runs. Defaults suit models of some millions of parameters; large ones want a tenth of the learning rate. */
export const adaptationSettings = settingsObject("adaptation", {
  /** Optimizer steps; as many as `epochs` take if left out. */
  steps: positiveInteger.optional(),
  /** Passes over the training examples. */
  epochs: z.number().positive().default(10),
  /** Examples (sequences, pairs) of one step. */
  batchExamples: positiveInteger.default(16),
  /** Of the highest point: the rate rises over `warmupShare` of the steps, then falls by a cosine to a tenth. */
  learningRate: z.number().positive().default(5e-4),
  /** A new head starts from nothing: it learns so many times as fast as what was trained before it. */
  headLearningRateFactor: z.number().positive().default(1),
  warmupShare: z.number().min(0).max(1).default(0.1),
  weightDecay: z.number().nonnegative().default(0.01),
  maximumGradientNorm: z.number().positive().default(1),
  /** Steps between validations; a tenth of all if left out. */
  validateEvery: positiveInteger.optional(),
  /** Validations without improvement after which it ends; `null` goes on to the last step. The best weights are kept either way. */
  patience: positiveInteger.nullable().default(3),
  seed: z.number().int().nonnegative().default(1),
  /** Adapters instead of all weights. */
  lora: loraSettings.optional(),
  guards: guardSettings.prefault({}),
});

export type AdaptationSettings = z.infer<typeof adaptationSettings>;
