/**
 * Memory and time of an optimizer step before it is taken: the step runs on a backend that only counts, and what it counts is
 * weighed with the machine's measured rates (a roofline: a kernel takes as long as its products or its memory traffic).
 */
import { createCountingBackend, Engine, type KernelWork, type Precision } from "../engine/index.ts";
import { quantile, Random } from "../foundation/index.ts";
import type { Architecture } from "../models/index.ts";
import { type ChosenObjective, chooseObjective, type TokenSource } from "../objectives/index.ts";
import type { TrainingConfiguration } from "./configuration.ts";
import { createAverage, createOptimizer } from "./optimization.ts";
import { batchSequencesAt, sequenceLengthAt } from "./schedule.ts";
import { cutShorter } from "./shorter-sequences.ts";

/** What a device does a second, measured (`tilth doctor`) or from a catalogue. */
export interface DeviceRates {
  readonly precision: Precision;
  /** Of multiply-adds, FLOP/s. */
  readonly peakFlops: number;
  /** Of copying, read and written bytes together. */
  readonly memoryBytesPerSecond: number;
}

/** A step as it will be: of the whole batch and the whole length, which warmups reach in the end. */
export interface StepForecast {
  /** Weights, gradients, optimizer state, averaged weights, activations and the head's scratch: what the backend allocates. */
  readonly memoryBytes: number;
  /** Of which weights, gradients, optimizer state and averaged weights. */
  readonly stateBytes: number;
  readonly seconds: number;
  /** All steps of the run, the shorter ones of warmups among them, without validation and checkpoints. */
  readonly runSeconds: number;
  /** Of the step that half of the run's steps are as fast as, or faster than. */
  readonly medianSeconds: number;
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

/** Forecasts one optimizer step. Nothing is computed: a model of any size takes milliseconds and no memory. */
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
  const { sequenceLength, batchSequences, microBatchSequences, zLoss } = training;
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
  const passes = new Map<number, readonly KernelWork[]>();
  /** One micro-batch, its sequences cut to `length` tokens. */
  const pass = async (length: number): Promise<readonly KernelWork[]> => {
    const known = passes.get(length);
    if (known !== undefined) return known;
    backend.resetWork();
    // A key, so that dropout is counted where there is some.
    const cut = { ...cutShorter(batch, length), dropoutKey: 1 };
    await engine.scope({ record: true }, () => engine.backward(...objective.losses(engine, model, cut, 1, zLoss)));
    passes.set(length, backend.work());
    return backend.work();
  };
  const whole = await pass(sequenceLength);
  backend.resetWork();
  optimizer.measureGradientNorm();
  optimizer.update(1e-3);
  average?.update();
  const update = backend.work();
  const secondsAt = async (step: number) => {
    const count = batchSequencesAt(step, training) / microBatchSequences;
    return count * secondsOf(await pass(sequenceLengthAt(step, training)), rates) + secondsOf(update, rates);
  };
  const perPass = batchSequences / microBatchSequences;
  const seconds = perPass * secondsOf(whole, rates) + secondsOf(update, rates);
  const warmup = Math.min(
    training.steps,
    Math.max(training.batchWarmup?.steps ?? 0, training.lengthWarmup?.steps ?? 0),
  );
  const perStep = new Float64Array(training.steps).fill(seconds);
  for (let step = 1; step <= warmup; step++) perStep[step - 1] = await secondsAt(step);
  const all = [...whole.map((one) => times(one, perPass)), ...update];
  return {
    memoryBytes: backend.memory().peakBytes,
    stateBytes,
    seconds,
    runSeconds: perStep.reduce((sum, one) => sum + one, 0),
    medianSeconds: quantile(perStep, 0.5),
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
