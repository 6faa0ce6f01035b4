/** What a contrastive training run is told: everything that decides its numbers, and nothing else. */
import { z } from "zod";
import { positiveInteger, settingsObject } from "../foundation/index.ts";
import { augmentationSettings } from "../images/index.ts";
import { optimizerConfiguration, scheduleConfiguration, upkeepSettings } from "./configuration.ts";

/** One run of the contrastive trainer. Batches are in pairs, intervals in steps. */
export const contrastiveConfiguration = settingsObject("training", {
  steps: positiveInteger,
  /** Pairs that are told apart in one optimizer step: all the others are each one's negatives. */
  batchPairs: positiveInteger.default(256),
  /** Pairs that pass through the towers at a time; fewer than `batchPairs` takes gradient caching: less memory, more time. */
  microBatchPairs: positiveInteger.default(256),
  learningRate: z.number().positive().default(1e-3),
  schedule: scheduleConfiguration.prefault({}),
  optimizer: optimizerConfiguration.prefault({}),
  augmentation: augmentationSettings.prefault({}),
  activationCheckpointing: z.boolean().default(false),
  ...upkeepSettings,
  /** Pairs of one validation pass, the same each time. */
  validationPairs: positiveInteger.default(1000),
  seed: z.number().int().nonnegative().default(1),
}).refine((one) => one.schedule.warmupSteps <= one.steps, {
  message: "warmupSteps must not exceed steps",
  path: ["schedule", "warmupSteps"],
});

export type ContrastiveConfiguration = z.infer<typeof contrastiveConfiguration>;
