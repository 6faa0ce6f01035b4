/**
 * Memory and time of an optimizer step before it is taken: the step runs on a backend that only counts, and what it counts is
 * weighed with the machine's measured rates (a roofline: a kernel takes as long as its products or its memory traffic).
 */
import { createCountingBackend, Engine, type KernelWork, type Precision } from "../engine/index.ts";
import { Random } from "../foundation/index.ts";
import type { Architecture } from "../models/index.ts";
import { type ChosenObjective, chooseObjective, type TokenSource } from "../objectives/index.ts";
import type { TrainingConfiguration } from "./configuration.ts";
import { createAverage, createOptimizer } from "./optimization.ts";
import { sequencesBefore } from "./schedule.ts";

/** What a device does a second, measured (`tilth doctor`) or from a catalogue. */
export interface DeviceRates {
  readonly precision: Precision;
  /** Of multiply-adds, FLOP/s. */
  readonly peakFlops: number;
  /** Of copying, read and written bytes together. */
  readonly memoryBytesPerSecond: number;
}

/** A step as it will be. */
export interface StepForecast {
  /** Weights, gradients, optimizer state, activations and the head's scratch: what the backend allocates. */
  readonly memoryBytes: number;
  /** Of which weights, gradients, optimizer state and the weights' average. */
  readonly stateBytes: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** FLOPs of matrix products, and bytes that kernels move. */
  readonly flops: number;
  readonly bytes: number;
}

/**
 * Shares of the peak that kernels reach whose products are large enough, measured on two cores (docs/performance.md). Memory-bound
 * kernels reach the rate of copying.
 */
const shareOfPeak: Partial<Record<KernelWork["kernel"], number>> = {
  matmul: 0.8,
  headCrossEntropy: 0.65,
  attention: 0.33,
  attentionBackward: 0.33,
  muon: 0.6,
};

/** Starting a kernel from TypeScript and ending it on all threads. */
const secondsPerCall = 8e-6;

/** Forecasts one optimizer step, the mean of the run's. Nothing is computed: a model of any size takes milliseconds and no memory. */
export async function forecastStep(
  architecture: Architecture<unknown>,
  modelConfiguration: unknown,
  training: TrainingConfiguration,
  rates: DeviceRates,
  chosen: Pick<ChosenObjective, "objective" | "specialTokens"> = chooseObjective(
    { kind: "next-token" },
    training.sequenceLength,
  ),
): Promise<StepForecast> {
  const { objective, specialTokens } = chosen;
  const { sequenceLength, microBatchSequences, steps, zLoss } = training;
  // While batches warm up they are smaller: the mean over the run.
  const batchSequences = sequencesBefore(steps + 1, training) / steps;
  const backend = createCountingBackend(rates.precision);
  const engine = new Engine(backend, { activationCheckpointing: training.activationCheckpointing });
  const model = architecture.create(engine, modelConfiguration);
  const optimizer = createOptimizer(model.arena, training.optimizer, { rank: 0, size: 1 }, false);
  const average = createAverage(model.arena, training.weightAverageDecay);
  const stateBytes = backend.memory().bytes;
  const source = randomTokenSource(
    architecture.dimensions(modelConfiguration).vocabularySize,
    sequenceLength,
    specialTokens,
  );
  const sequences = Array.from({ length: microBatchSequences }, (_, index) => index);
  const batch = objective.draw(source, sequences, { sequenceLength, documentMask: training.documentMask }, [1]);
  backend.resetWork();
  await engine.scope({ record: true }, () => engine.backward(...objective.losses(engine, model, batch, 1, zLoss)));
  const pass = backend.work();
  backend.resetWork();
  optimizer.update(1e-3);
  average?.update();
  const passes = batchSequences / microBatchSequences;
  const seconds = passes * secondsOf(pass, rates) + secondsOf(backend.work(), rates);
  const all = [...pass.map((one) => times(one, passes)), ...backend.work()];
  return {
    memoryBytes: backend.memory().peakBytes,
    stateBytes,
    seconds,
    tokensPerSecond: (batchSequences * sequenceLength) / seconds,
    flops: all.reduce((sum, { flops }) => sum + flops, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function times(work: KernelWork, count: number): KernelWork {
  return { ...work, calls: work.calls * count, flops: work.flops * count, bytes: work.bytes * count };
}

function secondsOf(work: readonly KernelWork[], { peakFlops, memoryBytesPerSecond }: DeviceRates): number {
  return work.reduce((sum, { kernel, calls, flops, bytes }) => {
    const computing = flops / (peakFlops * (shareOfPeak[kernel] ?? 1));
    return sum + Math.max(computing, bytes / memoryBytesPerSecond) + calls * secondsPerCall;
  }, 0);
}

/** Tokens drawn at random: as good as any others for timing. Ids that special tokens have come first. */
export function randomTokenSource(
  vocabularySize: number,
  sequenceLength: number,
  specialTokens: readonly string[],
): TokenSource {
  const random = new Random(1);
  return {
    tokens: vocabularySize * sequenceLength,
    vocabulary: {
      size: vocabularySize,
      endOfText: 0,
      specialTokens: new Map(specialTokens.map((text, index) => [text, index + 1])),
      startsWord: () => true,
    },
    read: (_, count) => Int32Array.from({ length: count }, () => random.below(vocabularySize)),
  };
}
