/** What this machine does: its peak, and the speed of a given model on it. */
import type { Backend, Precision } from "../engine/index.ts";
import { architectureNamed } from "../models/index.ts";
import { chooseObjective } from "../objectives/index.ts";
import { randomTokenSource, Trainer, trainingConfiguration } from "../training/index.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";
import { measureMemory } from "./memory-rate.ts";

/** A model to time, or none: then only the machine is measured. */
export interface MeasureInput {
  readonly device: DeviceOptions;
  readonly model?: {
    readonly architecture: string;
    readonly configuration: unknown;
    /** Its lengths, batch and optimizer decide the speed; see trainingConfiguration. */
    readonly training: unknown;
    /** Next token if left out. */
    readonly objective?: { readonly kind: string };
    /** Seconds to spend on timing steps; at least three are taken. */
    readonly seconds: number;
  };
}

/** Rates in FLOP/s, bytes/s, tokens/s. */
export interface MeasureOutput {
  readonly backend: string;
  readonly description: string;
  readonly threads: number;
  readonly precision: Precision;
  readonly peakFlops: number;
  /** Rate of copying memory, read and written bytes together. */
  readonly memoryBytesPerSecond: number;
  /** Rate of reading memory alone. */
  readonly memoryReadBytesPerSecond: number;
  /** Starting all threads on a kernel and seeing them end; null where there are none to start. */
  readonly launchSeconds: number | null;
  readonly tokensPerSecond: number | null;
}

export const measureJob: Job<MeasureInput, { warning: string }, MeasureOutput> = {
  name: "measure",
  async run(input, { emit }) {
    const backend = await openDevice(input.device, (warning) => emit({ warning }));
    try {
      return {
        backend: backend.name,
        description: backend.description,
        threads: backend.threads,
        precision: backend.precision,
        peakFlops: backend.measurePeakFlops(),
        ...measureMemory(backend),
        launchSeconds: backend.measureLaunchSeconds?.() ?? null,
        tokensPerSecond: input.model === undefined ? null : await measureSteps(backend, input.model),
      };
    } finally {
      backend.dispose();
    }
  },
};

async function measureSteps(backend: Backend, model: NonNullable<MeasureInput["model"]>): Promise<number> {
  const training = trainingConfiguration.parse(model.training);
  const { sequenceLength, batchSequences, microBatchSequences } = training;
  const { objective, specialTokens } = chooseObjective(model.objective ?? { kind: "next-token" }, sequenceLength);
  const trainer = new Trainer(backend, architectureNamed(model.architecture), model.configuration, training, objective);
  try {
    const { vocabularySize } = trainer.model.architecture.dimensions(trainer.model.configuration);
    const source = randomTokenSource(vocabularySize, sequenceLength, specialTokens);
    const sequences = Array.from({ length: microBatchSequences }, (_, index) => index);
    const batch = objective.draw(source, sequences, { sequenceLength, documentMask: false }, [1]);
    const step = Array.from({ length: batchSequences / microBatchSequences }, () => batch);
    // The first step allocates; it is not counted.
    await trainer.takeStepOn(step);
    const started = performance.now();
    const elapsed = () => (performance.now() - started) / 1000;
    let steps = 0;
    while (steps < 3 || elapsed() < model.seconds) {
      await trainer.takeStepOn(step);
      steps += 1;
    }
    return (steps * sequenceLength * batchSequences) / elapsed();
  } finally {
    trainer.dispose();
  }
}
