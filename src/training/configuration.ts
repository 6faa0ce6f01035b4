/** What a training run is told: everything that decides its numbers, and nothing else. */
import { z } from "zod";
import { positiveInteger, settingsObject, UsageError } from "../foundation/index.ts";

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
  /** Other treatment of some parameters; the first group whose pattern fits counts. */
  groups: z
    .array(
      settingsObject("parameter group", {
        /** Names of parameters, `*` for any characters: `embedding`, `layers.*.norm*`. */
        parameters: z.string().min(1),
        /** Factor on the learning rate. */
        learningRateScale: z.number().nonnegative().default(1),
        /** Instead of the optimizer's. */
        weightDecay: z.number().nonnegative().optional(),
      }),
    )
    .default([]),
});

const action = z.enum(["warn", "skip", "rewind", "stop"]);

/** What happens when a step goes wrong. `skip` leaves the batch out, `rewind` goes back to the last checkpoint and leaves it out. */
export const guardConfiguration = settingsObject("guard", {
  /** The loss or the gradient norm is NaN or infinite. */
  nonFinite: action.exclude(["warn"]).default("stop"),
  /** The loss is far above those of the last steps. */
  lossSpike: action.default("warn"),
  /** Steps that a loss is compared with; none is judged before half of them are there. */
  spikeWindow: z.number().int().min(4).default(64),
  /** Robust standard deviations (1.4826 · median absolute deviation) above the median that make a spike. */
  spikeDeviations: z.number().positive().default(8),
  /** Skips and rewinds after which the run stops: it has diverged. */
  maximumInterventions: z.number().int().nonnegative().default(10),
  /** The share of a step's time that waiting for data may take, over the last 20 steps, before a warning. */
  dataStallShare: z.number().min(0).max(1).default(0.5),
  /** Seconds without any progress after which the watchdog warns or stops the process; `null` switches it off. */
  watchdogSeconds: z.number().positive().nullable().default(600),
  watchdog: z.enum(["warn", "stop"]).default("warn"),
});

/** How ranks work together; one process ignores it. */
export const parallelConfiguration = settingsObject("parallel", {
  /** What gradients are rounded to on their way between ranks. */
  reduction: z.enum(["f32", "bf16"]).default("f32"),
  /** Gradients are summed in pieces of about this size while the backward pass goes on. */
  bucketBytes: positiveInteger.default(4 << 20),
  /** Every rank keeps and updates its part of the optimizer's state only (ZeRO stage 1). */
  shardOptimizerState: z.boolean().default(false),
});

/** What the model writes at every validation, to be read as it learns; drawn from the same seed every time. */
export const samplesConfiguration = settingsObject("samples", {
  /** Beginnings that are continued; an empty one starts a document. */
  prompts: z.array(z.string()).min(1),
  /** Tokens written after each. */
  tokens: positiveInteger.default(60),
  /** 0 writes the likeliest token. */
  temperature: z.number().nonnegative().default(0.8),
});

/** What a run does beside its steps; the same numbers whatever is chosen. */
export const upkeepSettings = {
  validateEvery: positiveInteger.default(100),
  checkpointEvery: positiveInteger.default(500),
  /** Newest checkpoints kept; older ones are removed once a newer one is complete. */
  keepCheckpoints: positiveInteger.default(2),
  /** Checkpoints whose step is a multiple of this are kept too. */
  keepCheckpointsEvery: positiveInteger.optional(),
  /** That many with the lowest validation loss are kept too. */
  keepBestCheckpoints: z.number().int().nonnegative().default(0),
  /** Bytes of a weights file beyond which a checkpoint is split into shards. */
  checkpointShardBytes: positiveInteger.default(5e9),
  /** Steps between measurements of ‖update‖ / ‖weights‖. */
  updateRatioEvery: positiveInteger.default(50),
  guards: guardConfiguration.prefault({}),
  /** Ends the run when the validation loss no longer falls. */
  earlyStop: settingsObject("early stop", {
    /** Validations in a row without improvement. */
    patience: positiveInteger,
    /** Nats by which the loss must fall to count. */
    minimumImprovement: z.number().nonnegative().default(0),
  }).optional(),
};

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
  /** Weight of the penalty z · mean(log²Σexp(logits)), which keeps logits small (Chowdhery et al. 2022: 1e-4). */
  zLoss: z.number().nonnegative().default(0),
  /** The share of the old average kept at a step (EMA of the weights), e.g. 0.999; none is kept if left out. */
  weightAverageDecay: z.number().gt(0).lt(1).optional(),
  /** Batches grow from `startSequences` in equal stages over `steps` steps. */
  batchWarmup: settingsObject("batch warmup", {
    startSequences: positiveInteger,
    /** Sequences that each stage adds; divides batchSequences − startSequences. */
    incrementSequences: positiveInteger,
    steps: positiveInteger,
  }).optional(),
  /** Sequences are cut into shorter ones at first: the same tokens a step, less attention. Lengths double up to sequenceLength. */
  lengthWarmup: settingsObject("length warmup", {
    /** sequenceLength divided by a power of two. */
    startLength: positiveInteger,
    steps: positiveInteger,
  }).optional(),
  ...upkeepSettings,
  /** Text written at every validation into the log; by a decoder only. */
  samples: samplesConfiguration.optional(),
  /** Sequences of one validation pass during the run. */
  validationSequences: positiveInteger.default(64),
  parallel: parallelConfiguration.prefault({}),
  seed: z.number().int().nonnegative().default(1),
})
  .refine((one) => one.batchSequences % one.microBatchSequences === 0, {
    message: "batchSequences must be a multiple of microBatchSequences",
    path: ["microBatchSequences"],
  })
  .refine((one) => one.schedule.warmupSteps <= one.steps, {
    message: "warmupSteps must not exceed steps",
    path: ["schedule", "warmupSteps"],
  })
  .refine(
    ({ batchSequences, microBatchSequences, batchWarmup: warmup }) =>
      warmup === undefined ||
      (warmup.startSequences < batchSequences &&
        (batchSequences - warmup.startSequences) % warmup.incrementSequences === 0 &&
        [warmup.startSequences, warmup.incrementSequences].every((one) => one % microBatchSequences === 0)),
    {
      message:
        "startSequences must be below batchSequences, incrementSequences divide the difference, and both be multiples of microBatchSequences",
      path: ["batchWarmup"],
    },
  )
  .refine(
    ({ sequenceLength, lengthWarmup: warmup }) =>
      warmup === undefined ||
      (sequenceLength % warmup.startLength === 0 && isPowerOfTwo(sequenceLength / warmup.startLength)),
    { message: "startLength must be sequenceLength divided by a power of two", path: ["lengthWarmup", "startLength"] },
  );

const isPowerOfTwo = (value: number) => Number.isInteger(Math.log2(value));

/** Settings that may differ when a run is resumed: what it computes stays the same, to rounding. */
export const upkeepNames = [
  ...Object.keys(upkeepSettings),
  "microBatchSequences",
  "microBatchPairs",
  "activationCheckpointing",
  "parallel",
  "samples",
] as const;

/** The settings that decide what a run computes: those a resumed run must share. */
export function decisiveSettings(training: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(training).filter(([name]) => !upkeepNames.includes(name)));
}

/** Throws UsageError where that many ranks cannot share every step's micro-batches evenly. */
export function requireEvenShares(
  configuration: Pick<TrainingConfiguration, "batchSequences" | "microBatchSequences" | "batchWarmup">,
  ranks: number,
): void {
  const { batchSequences, microBatchSequences, batchWarmup } = configuration;
  const batches = batchWarmup
    ? [batchWarmup.startSequences, batchWarmup.startSequences + batchWarmup.incrementSequences, batchSequences]
    : [batchSequences];
  for (const sequences of batches) {
    const microBatches = sequences / microBatchSequences;
    if (microBatches % ranks === 0) continue;
    throw new UsageError(`a step has ${microBatches} micro-batches, which ${ranks} ranks cannot share evenly`, {
      remedy: `Choose training.microBatchSequences so that batchSequences (${sequences}) divided by it is a multiple of ${ranks}.`,
    });
  }
}

export type TrainingConfiguration = z.infer<typeof trainingConfiguration>;
export type ScheduleConfiguration = z.infer<typeof scheduleConfiguration>;
export type SamplesConfiguration = z.infer<typeof samplesConfiguration>;
export type GuardConfiguration = z.infer<typeof guardConfiguration>;
