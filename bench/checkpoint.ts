/** What a checkpoint costs training on the quickstart's model: the pause for the copy, and the steps that its writing slows. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBackend } from "../src/engine/index.ts";
import { quantile, Random } from "../src/foundation/index.ts";
import { llama } from "../src/models/index.ts";
import {
  CheckpointWriter,
  SnapshotMemory,
  Trainer,
  takeSnapshot,
  trainingConfiguration,
} from "../src/training/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";

const [length, sequences, vocabularySize] = [256, 16, 4096];
const stepsBetween = 100;

/**
 * The cost is (pause + what steps took longer while the checkpoint was written) / (100 steps), the median over checkpoints.
 * There is no peer: others write while the step waits, or the same way.
 */
export async function checkpointCost(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const backend = await createBackend("cpu", { precision: options.precision });
  const configuration = llama.schema.parse({
    layers: 5,
    width: 192,
    attentionHeads: 6,
    vocabularySize,
    context: length,
  });
  const sizes = { sequenceLength: length, batchSequences: sequences, microBatchSequences: sequences };
  const trainer = new Trainer(backend, llama, configuration, trainingConfiguration.parse({ steps: 1e6, ...sizes }));
  const random = new Random(1);
  const tokens = Int32Array.from({ length: sequences * length }, () => random.below(vocabularySize));
  const batch = { sequences, length, tokens, targets: tokens, targetCount: tokens.length };
  const step = async () => {
    const started = performance.now();
    await trainer.takeStepOn([batch]);
    return (performance.now() - started) / 1000;
  };
  const folder = mkdtempSync(join(process.env.TILTH_BENCH_FOLDER ?? tmpdir(), "tilth-bench-"));
  const [memory, writer] = [new SnapshotMemory(), new CheckpointWriter()];
  const [pauses, slowed, writes, quiet]: number[][] = [[], [], [], []];
  try {
    for (let i = 0; i < 3; i++) await step();
    for (let checkpoint = 0; checkpoint < options.repetitions; checkpoint++) {
      for (let i = 0; i < 10; i++) quiet.push(await step());
      const started = performance.now();
      const snapshot = await takeSnapshot(trainer, restOf(folder, trainer.step), memory);
      writer.begin(snapshot!);
      pauses.push((performance.now() - started) / 1000);
      const during: number[] = [];
      let written = await writer.collect();
      for (; written === undefined; written = await writer.collect()) during.push(await step());
      if ("error" in written) throw written.error;
      writes.push(written.seconds);
      slowed.push(
        Math.max(
          0,
          during.reduce((sum, seconds) => sum + seconds - quantile(quiet, 0.5), 0),
        ),
      );
    }
  } finally {
    await writer.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
  const median = quantile(quiet, 0.5);
  const costs = pauses.map((pause, index) => (pause + slowed[index]) / (stepsBetween * median));
  const { parameters } = llama.dimensions(configuration);
  const line = lineOf(
    { tilth: { median: quantile(costs, 0.5), min: Math.min(...costs) }, peer: null },
    {
      name: "checkpoint",
      config: `quickstart: ${(parameters / 1e6).toFixed(1)}M, one checkpoint every ${stepsBetween} steps, ${backend.description}`,
      unit: "of training time",
      peerName: "none",
      shareOfPeak: null,
    },
    {
      pauseSeconds: quantile(pauses, 0.5),
      slowedSeconds: quantile(slowed, 0.5),
      writeSeconds: quantile(writes, 0.5),
      stepSeconds: median,
    },
  );
  trainer.dispose();
  backend.dispose();
  return line;
}

function restOf(runFolder: string, step: number) {
  return {
    runFolder,
    state: { step, skippedBatches: 0, recentLosses: [], validation: null, configurationHash: "bench" },
    ...{ files: {}, before: [], shardBytes: 5e9 },
    retention: { keepCheckpoints: 2, keepBestCheckpoints: 0 },
  };
}
