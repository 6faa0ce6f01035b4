/** One optimizer step on random tokens, beside the same step in PyTorch: seconds, share of the peak, TypeScript's share. */
import { createBackend } from "../src/engine/index.ts";
import { Random, UsageError } from "../src/foundation/index.ts";
import { architectureNamed } from "../src/models/index.ts";
import { Trainer, trainingConfiguration } from "../src/training/index.ts";
import { askedSettings, type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { timed, torchSettings } from "./step.ts";

/** Models by name; Llamas unless named otherwise; lengths in tokens. */
const presets = {
  quickstart: { layers: 5, width: 192, attentionHeads: 6, vocabularySize: 4096, length: 256, sequences: 16 },
  "10m": { layers: 8, width: 320, attentionHeads: 10, vocabularySize: 4096, length: 256, sequences: 8 },
  "124m": { layers: 12, width: 768, attentionHeads: 12, vocabularySize: 50_304, length: 1024, sequences: 4 },
  "gpt2-124m": {
    ...{ architecture: "gpt2", layers: 12, width: 768, attentionHeads: 12, vocabularySize: 50_304 },
    ...{ length: 1024, sequences: 4 },
  },
  "350m": { layers: 24, width: 1024, attentionHeads: 16, vocabularySize: 32_000, length: 1024, sequences: 2 },
} as const;

export async function trainStep(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const name = options.preset ?? "10m";
  const preset = Object.hasOwn(presets, name) ? presets[name as keyof typeof presets] : undefined;
  if (preset === undefined) {
    throw new UsageError(`there is no preset "${name}"`, { remedy: `Presets: ${Object.keys(presets).join(", ")}` });
  }
  const { length, sequences, architecture: kind, ...sizes } = { architecture: "llama", ...preset };
  const architecture = architectureNamed(kind);
  const configuration = architecture.schema.parse({ ...sizes, context: length });
  const { parameters } = architecture.dimensions(configuration);
  const backend = await createBackend("cpu", { precision: options.precision });
  const peakFlops = backend.measurePeakFlops();
  const training = trainingConfiguration.parse({
    steps: 10_000,
    sequenceLength: length,
    batchSequences: sequences,
    microBatchSequences: sequences,
  });
  const trainer = new Trainer(backend, architecture, configuration, training);
  const random = new Random(1);
  const tokens = Int32Array.from({ length: sequences * length }, () => random.below(sizes.vocabularySize));
  const batch = { sequences, length, tokens, targets: tokens, targetCount: tokens.length };
  await trainer.takeStepOn([batch]);
  await trainer.takeStepOn([batch]);
  const kernelsBefore = backend.kernelSeconds();
  let total = 0;
  const timedStep = timed(() => trainer.takeStepOn([batch]));
  const step = async () => {
    const seconds = await timedStep();
    total += seconds;
    return seconds;
  };
  const settings = torchSettings(
    "train_step.py",
    { ...(configuration as object), architecture: kind, length, sequences },
    backend,
  );
  const comparison = await compare(step, askedSettings(settings, options), options.repetitions, options.warn);
  const { median } = comparison.tilth;
  const line = lineOf(
    comparison,
    {
      name: "train-step",
      config: `${name}: ${kind} ${(parameters / 1e6).toFixed(1)}M, ${sequences} × ${length}, ${backend.description}`,
      unit: "seconds a step",
      peerName: "PyTorch",
      shareOfPeak: (trainer.flopsPerToken() * tokens.length) / median / peakFlops,
    },
    {
      tokensPerSecond: tokens.length / median,
      typescriptShare: Math.max(0, 1 - (backend.kernelSeconds() - kernelsBefore) / total),
    },
  );
  trainer.dispose();
  backend.dispose();
  return line;
}
