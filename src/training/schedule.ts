/** What changes over a run, from the step alone: learning rate, sequences of a batch, tokens of a sequence. */
import type { TrainingConfiguration } from "./configuration.ts";

/**
 * The learning rate of `step` (from 1): linear warmup, then cosine (Loshchilov & Hutter 2017) or constant with a linear
 * fall at the end (warmup-stable-decay, Hu et al. 2024). The last step has `finalShare` of the highest rate.
 */
export function learningRateAt(
  step: number,
  configuration: Pick<TrainingConfiguration, "steps" | "learningRate" | "schedule">,
): number {
  const { steps, learningRate } = configuration;
  const { kind, warmupSteps, decayShare, finalShare } = configuration.schedule;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  if (kind === "cosine") {
    const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
    return learningRate * (finalShare + (1 - finalShare) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
  const decaySteps = Math.min(Math.round(steps * decayShare), steps - warmupSteps);
  const remaining = steps - step;
  if (remaining >= decaySteps) return learningRate;
  return learningRate * (finalShare + (1 - finalShare) * (remaining / decaySteps));
}

type BatchSettings = Pick<TrainingConfiguration, "batchSequences" | "batchWarmup">;

/** Sequences of batch `batch` (from 1). */
export function batchSequencesAt(batch: number, { batchSequences, batchWarmup }: BatchSettings): number {
  if (batchWarmup === undefined) return batchSequences;
  const { startSequences, incrementSequences, steps } = batchWarmup;
  const stages = (batchSequences - startSequences) / incrementSequences;
  const stage = Math.min(stages, Math.floor(((batch - 1) * stages) / steps));
  return startSequences + stage * incrementSequences;
}

/** Sequences of all batches before `batch` (from 1): where it begins in the order of data. */
export function sequencesBefore(batch: number, settings: BatchSettings): number {
  const { batchSequences, batchWarmup } = settings;
  const before = batch - 1;
  if (batchWarmup === undefined) return before * batchSequences;
  const { startSequences, incrementSequences, steps } = batchWarmup;
  const stages = (batchSequences - startSequences) / incrementSequences;
  let total = before * startSequences;
  // Each stage adds its increment to every batch that comes after its first ones.
  for (let stage = 1; stage <= stages; stage++) {
    total += incrementSequences * Math.max(0, before - Math.ceil((stage * steps) / stages));
  }
  return total;
}

/** Tokens of a sequence at `step` (from 1): doubles in stages of equal length. */
export function sequenceLengthAt(
  step: number,
  { sequenceLength, lengthWarmup }: Pick<TrainingConfiguration, "sequenceLength" | "lengthWarmup">,
): number {
  if (lengthWarmup === undefined) return sequenceLength;
  const stages = Math.log2(sequenceLength / lengthWarmup.startLength);
  const stage = Math.min(stages, Math.floor(((step - 1) * stages) / lengthWarmup.steps));
  return lengthWarmup.startLength * 2 ** stage;
}
