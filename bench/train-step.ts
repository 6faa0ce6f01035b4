/** One optimizer step of the quickstart's model on random tokens: tokens/s, share of the peak, TypeScript's share. */
import { createBackend } from "../src/engine/index.ts";
import { Random } from "../src/foundation/index.ts";
import { llama, llamaConfiguration } from "../src/models/index.ts";
import { Trainer, trainingConfiguration } from "../src/training/index.ts";
import type { BenchmarkLine } from "./main.ts";

const configuration = llamaConfiguration.parse({
  vocabularySize: 4096,
  width: 320,
  layers: 8,
  attentionHeads: 10,
  keyValueHeads: 10,
  headSize: 32,
  mlpWidth: 864,
  context: 256,
});

/** Times `repetitions` steps after one that allocates. */
export async function trainStep(repetitions: number): Promise<BenchmarkLine> {
  const backend = await createBackend("cpu");
  const peakFlops = backend.measurePeakFlops();
  const [sequences, length] = [8, 256];
  const training = trainingConfiguration.parse({ steps: 10_000, sequenceLength: length, batchSequences: sequences });
  const trainer = new Trainer(backend, llama as never, configuration, training);
  const random = new Random(1);
  const tokens = Int32Array.from({ length: sequences * length }, () => random.below(configuration.vocabularySize));
  const batch = { sequences, length, tokens, targets: tokens, targetCount: tokens.length };
  await trainer.takeStepOn([batch]);
  const seconds: number[] = [];
  const kernelsBefore = backend.kernelSeconds();
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const started = performance.now();
    await trainer.takeStepOn([batch]);
    seconds.push((performance.now() - started) / 1000);
  }
  const kernelSeconds = backend.kernelSeconds() - kernelsBefore;
  const total = seconds.reduce((sum, one) => sum + one, 0);
  const sorted = [...seconds].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  const line: BenchmarkLine = {
    name: "train-step",
    config: `llama ${(llama.dimensions(configuration).parameters / 1e6).toFixed(1)}M, ${sequences} × ${length}, f32, ${backend.description}`,
    unit: "seconds a step",
    tilth: { median, min: sorted[0] },
    peer: null,
    ratio: null,
    tokensPerSecond: tokens.length / median,
    shareOfPeak: (trainer.flopsPerToken() * tokens.length) / median / peakFlops,
    typescriptShare: Math.max(0, 1 - kernelSeconds / total),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  trainer.dispose();
  backend.dispose();
  return line;
}
