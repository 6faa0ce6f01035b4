/** What a training run is told: everything that decides its numbers, and nothing else. */
import { z } from "zod";
import { settingsObject, UsageError } from "../foundation/index.ts";

const positiveInteger = z.number().int().positive();

/** The learning rate over the run, as shares of `learningRate`. */
export const scheduleConfiguration = settingsObject("schedule", {
  /** `cosine` falls to `finalShare` over the whole run; `warmup-stable-decay` holds, then falls in the last part. */
  kind: z.enum(["cosine", "warmup-stable-decay"]).default("warmup-stable-decay"),
  warmupSteps: z.number().int().nonnegative().default(50),
  /** warmup-stable-decay: the share of all steps in which the rate falls, linearly. */
  decayShare: z.number().min(0).max(1).default(0.3),
  /** The rate at the end, as a share of the highest. */
  finalShare: z.number().min(0).max(1).default(0.1),
});

/** AdamW's settings, defaults of GPT-3 (Brown et al. 2020); `muon` steps hidden matrices itself and leaves it the rest. */
export const optimizerConfiguration = settingsObject("optimizer", {
  kind: z.enum(["adamw", "muon"]).default("adamw"),
  /** Muon's share of old momentum (Jordan et al. 2024). */
  momentum: z.number().min(0).lt(1).default(0.95),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().nonnegative().default(0.1),
  /** Global-norm clipping; `null` switches it off. */
  maximumGradientNorm: z.number().positive().nullable().default(1),
});

/** One run of the trainer. Lengths and batches are in tokens and sequences, intervals in steps. */
export const trainingConfiguration = settingsObject("training", {
  steps: positiveInteger,
  /** Tokens of one training sequence. */
  sequenceLength: positiveInteger.default(256),
  /** Sequences of one optimizer step. */
  batchSequences: positiveInteger.default(16),
  /** Sequences of one forward and backward pass; divides `batchSequences`. */
  microBatchSequences: positiveInteger.default(8),
  learningRate: z.number().positive().default(3e-3),
  schedule: scheduleConfiguration.prefault({}),
  optimizer: optimizerConfiguration.prefault({}),
  /** Whether a token sees only its own document. */
  documentMask: z.boolean().default(true),
  /** Keep one layer's activations at a time and compute them again: less memory, about a quarter more time. */
  activationCheckpointing: z.boolean().default(false),
  validateEvery: positiveInteger.default(100),
  /** Sequences of one validation pass during the run. */
  validationSequences: positiveInteger.default(64),
  checkpointEvery: positiveInteger.default(500),
  /** Checkpoints kept; older ones are removed once a newer one is complete. */
  keepCheckpoints: positiveInteger.default(2),
  seed: z.number().int().nonnegative().default(1),
})
  .refine((one) => one.batchSequences % one.microBatchSequences === 0, {
    message: "batchSequences must be a multiple of microBatchSequences",
    path: ["microBatchSequences"],
  })
  .refine((one) => one.schedule.warmupSteps <= one.steps, {
    message: "warmupSteps must not exceed steps",
    path: ["schedule", "warmupSteps"],
  });

/** Throws UsageError where that many ranks cannot share a step's micro-batches evenly. */
export function requireEvenShares(
  { batchSequences, microBatchSequences }: Pick<TrainingConfiguration, "batchSequences" | "microBatchSequences">,
  ranks: number,
): void {
  const microBatches = batchSequences / microBatchSequences;
  if (microBatches % ranks === 0) return;
  throw new UsageError(`a step has ${microBatches} micro-batches, which ${ranks} ranks cannot share evenly`, {
    remedy: `Choose training.microBatchSequences so that batchSequences (${batchSequences}) divided by it is a multiple of ${ranks}.`,
  });
}

export type TrainingConfiguration = z.infer<typeof trainingConfiguration>;
export type ScheduleConfiguration = z.infer<typeof scheduleConfiguration>;
