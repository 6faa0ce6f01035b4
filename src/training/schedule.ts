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
