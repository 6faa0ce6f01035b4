/** What this machine does: its peak, and the speed of a given model on it. */
import { type Precision, tensorOver } from "../engine/index.ts";
import { Random } from "../foundation/index.ts";
import { architectureNamed } from "../models/index.ts";
import { chooseObjective, type TokenSource } from "../objectives/index.ts";
import { Trainer, trainingConfiguration } from "../training/index.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

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

function measureMemory(
  backend: Awaited<ReturnType<typeof openDevice>>,
): Pick<MeasureOutput, "memoryBytesPerSecond" | "memoryReadBytesPerSecond"> {
  const bytes = 1 << 26;
  const storages = [bytes, bytes, 4].map((one) => backend.allocate(one));
  const [to, from] = storages.slice(0, 2).map((storage) => tensorOver(storage, [1 << 10, 1 << 14]));
  const sum = tensorOver(storages[2], [1]);
  backend.kernels.fill(from, 1);
  const bestOf = (work: () => void) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      work();
      best = Math.min(best, (performance.now() - started) / 1000);
    }
    return best;
  };
  const copying = bestOf(() => backend.kernels.copy(to, from));
  const reading = bestOf(() => backend.kernels.sum(sum, from));
  for (const storage of storages) backend.release(storage);
  return { memoryBytesPerSecond: (2 * bytes) / copying, memoryReadBytesPerSecond: bytes / reading };
}

async function measureSteps(
  backend: Awaited<ReturnType<typeof openDevice>>,
  model: NonNullable<MeasureInput["model"]>,
): Promise<number> {
  const training = trainingConfiguration.parse(model.training);
  const { sequenceLength, batchSequences, microBatchSequences } = training;
  const { objective, specialTokens } = chooseObjective(model.objective ?? { kind: "next-token" }, sequenceLength);
  const trainer = new Trainer(backend, architectureNamed(model.architecture), model.configuration, training, objective);
  try {
    const { vocabularySize } = trainer.model.architecture.dimensions(trainer.model.configuration);
    const random = new Random(1);
    // Ids that the tokenizer would give to special tokens are as good as any others for timing.
    const source: TokenSource = {
      tokens: vocabularySize * sequenceLength,
      vocabulary: {
        size: vocabularySize,
        endOfText: 0,
        specialTokens: new Map(specialTokens.map((text, index) => [text, index + 1])),
        startsWord: () => true,
      },
      read: (_, count) => Int32Array.from({ length: count }, () => random.below(vocabularySize)),
    };
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
