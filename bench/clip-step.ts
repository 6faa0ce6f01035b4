/** One contrastive step on random pictures and texts of full length, beside open_clip's. */
import { createBackend } from "../src/engine/index.ts";
import { Random } from "../src/foundation/index.ts";
import { clip, clipConfiguration, modelPreset } from "../src/models/index.ts";
import { ContrastiveTrainer, contrastiveConfiguration } from "../src/training/index.ts";
import { askedSettings, type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { timed, torchSettings } from "./step.ts";

/** Pairs of a step: small enough for the memory of two cores. */
const pairsOf: Readonly<Record<string, number>> = { "clip-tiny": 256, "clip-vit-b-32": 32, "clip-vit-b-16": 4 };

export async function clipStep(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const name = options.preset ?? "clip-vit-b-32";
  const vocabularySize = name === "clip-tiny" ? 2048 : 49_408;
  const configuration = clipConfiguration.parse({
    ...modelPreset(name).configuration,
    ...{ vocabularySize, endOfText: vocabularySize - 1 },
  });
  const pairs = pairsOf[name] ?? 8;
  const backend = await createBackend("cpu", { precision: options.precision });
  const peakFlops = backend.measurePeakFlops();
  const training = contrastiveConfiguration.parse({ steps: 10_000, batchPairs: pairs, microBatchPairs: pairs });
  const trainer = new ContrastiveTrainer(backend, clip as never, configuration, training);
  const { context, vision } = configuration;
  const random = new Random(1);
  const tokens = Int32Array.from({ length: pairs * context }, (_, i) =>
    i % context === context - 1 ? configuration.endOfText : random.below(configuration.endOfText),
  );
  const pixels = Float32Array.from({ length: pairs * 3 * vision.imageSize ** 2 }, () => random.uniform() - 0.5);
  const batch = { pairs, pixels, imageSize: vision.imageSize, texts: { sequences: pairs, length: context, tokens } };
  await trainer.takeStepOn(batch);
  await trainer.takeStepOn(batch);
  const step = timed(() => trainer.takeStepOn(batch));
  const settings = torchSettings("clip_step.py", { ...configuration, pairs }, backend);
  const comparison = await compare(step, askedSettings(settings, options), options.repetitions, options.warn);
  const { median } = comparison.tilth;
  const { parameters, trainingFlopsPerPair } = clip.dimensions(configuration);
  const line = lineOf(
    comparison,
    {
      name: "clip-step",
      config: `${name}: ${(parameters / 1e6).toFixed(0)}M parameters, ${pairs} pairs, ${backend.description}`,
      unit: "seconds a step",
      peerName: "open_clip",
      shareOfPeak: (trainingFlopsPerPair(context) * pairs) / median / peakFlops,
    },
    { pairsPerSecond: pairs / median },
  );
  trainer.dispose();
  backend.dispose();
  return line;
}
