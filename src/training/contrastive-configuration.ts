/** What a contrastive training run is told: everything that decides its numbers, and nothing else. */
import { z } from "zod";
import { positiveInteger, settingsObject, UsageError } from "../foundation/index.ts";
import { augmentationSettings } from "../images/index.ts";
import {
  optimizerConfiguration,
  parallelConfiguration,
  scheduleConfiguration,
  upkeepSettings,
} from "./configuration.ts";

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
  parallel: parallelConfiguration.prefault({}),
  seed: z.number().int().nonnegative().default(1),
}).refine((one) => one.schedule.warmupSteps <= one.steps, {
  message: "warmupSteps must not exceed steps",
  path: ["schedule", "warmupSteps"],
});

export type ContrastiveConfiguration = z.infer<typeof contrastiveConfiguration>;

/** Throws UsageError where that many ranks cannot share every batch evenly. */
export function requireEvenPairs({ batchPairs }: Pick<ContrastiveConfiguration, "batchPairs">, ranks: number): void {
  if (batchPairs % ranks === 0) return;
  throw new UsageError(`a batch has ${batchPairs} pairs, which ${ranks} ranks cannot share evenly`, {
    remedy: `Choose training.batchPairs as a multiple of ${ranks}.`,
  });
}
