/** How many pairs a second a contrastive step takes on this machine, on random pictures and texts. */
import { Random } from "../foundation/index.ts";
import { imageTextArchitectureNamed } from "../models/index.ts";
import { ContrastiveTrainer, contrastiveConfiguration } from "../training/index.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface MeasurePairsInput {
  readonly device: DeviceOptions;
  readonly model: { readonly architecture: string; readonly configuration: Readonly<Record<string, unknown>> };
  readonly training: unknown;
  readonly vocabularySize: number;
  /** Tokens of a text. */
  readonly textLength: number;
  /** At least this long is measured, and at least two steps. */
  readonly seconds: number;
}

export interface MeasurePairsOutput {
  readonly pairsPerSecond: number;
  readonly backend: string;
  readonly description: string;
  readonly precision: "f32" | "bf16";
  readonly peakFlops: number;
}

export const measurePairsJob: Job<MeasurePairsInput, { warning: string }, MeasurePairsOutput> = {
  name: "measure-pairs",
  async run({ device, model, training, vocabularySize, textLength, seconds }, { emit }) {
    const backend = await openDevice(device, (warning) => emit({ warning }));
    const architecture = imageTextArchitectureNamed(model.architecture);
    if (architecture === undefined) throw new Error(`"${model.architecture}" has no two towers`);
    const configuration = architecture.schema.parse({ ...model.configuration, vocabularySize, endOfText: 0 });
    const { imageSize, text } = architecture.dimensions(configuration);
    const trainer = new ContrastiveTrainer(
      backend,
      architecture,
      configuration,
      contrastiveConfiguration.parse(training),
    );
    try {
      const random = new Random(1);
      const pairs = trainer.configuration.batchPairs;
      const length = text.padToContext ? text.context : Math.min(textLength, text.context);
      const tokens = Int32Array.from({ length: pairs * length }, (_, i) =>
        i % length === length - 1 ? 0 : 1 + random.below(vocabularySize - 1),
      );
      const pixels = Float32Array.from({ length: pairs * 3 * imageSize ** 2 }, () => random.uniform());
      const batch = { pairs, pixels, imageSize, texts: { sequences: pairs, length, tokens } };
      // The first step allocates; it is not counted.
      await trainer.takeStepOn(batch);
      const started = performance.now();
      const elapsed = () => (performance.now() - started) / 1000;
      let steps = 0;
      while (steps < 2 || elapsed() < seconds) {
        await trainer.takeStepOn(batch);
        steps += 1;
      }
      return {
        pairsPerSecond: (steps * pairs) / elapsed(),
        backend: backend.name,
        description: backend.description,
        precision: backend.precision,
        peakFlops: backend.measurePeakFlops(),
      };
    } finally {
      trainer.dispose();
      backend.dispose();
    }
  },
};
