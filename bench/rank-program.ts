/** What mpirun starts for benchmarks of several ranks: the quickstart's step, or sums of a bucket. One JSON line from the first rank. */
import { spawnSync } from "node:child_process";
import { createCommunicator, mpirunArguments } from "../src/cluster/index.ts";
import { createBackend, tensorOver } from "../src/engine/index.ts";
import { quantile, Random, TilthError } from "../src/foundation/index.ts";
import { llama } from "../src/models/index.ts";
import { Trainer, trainingConfiguration } from "../src/training/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";

const [length, sequences, vocabularySize] = [256, 16, 4096];

/** The quickstart's model, and the training settings with that many sequences in a micro-batch. */
export const quickstartModel = () =>
  llama.schema.parse({ layers: 5, width: 192, attentionHeads: 6, vocabularySize, context: length });
export const quickstartTraining = (microBatchSequences: number, settings: object = {}) =>
  trainingConfiguration.parse({
    ...{ steps: 1e6, sequenceLength: length, batchSequences: sequences, microBatchSequences },
    ...settings,
  });

/** What ranks measured. */
export interface RankMeasurement {
  readonly seconds: number;
  /** Resident memory of the first rank. */
  readonly memoryBytes: number;
}

/** Runs `bench <name> rank <arguments>` on that many ranks of a thread each. */
export function measureRanks(
  name: string,
  ranks: number,
  given: readonly string[],
  { precision, repetitions }: Pick<BenchmarkOptions, "precision" | "repetitions">,
): RankMeasurement {
  const program = [process.execPath, process.argv[1], name, "rank", ...given, "--json", "--precision", precision];
  const launch = { ranks, threads: 1, processors: 2, program: [...program, "--repetitions", String(repetitions)] };
  const { status, stdout, stderr } = spawnSync("mpirun", mpirunArguments(launch), { encoding: "utf8" });
  const line = stdout.split("\n").find((one) => one.startsWith("{"));
  if (status !== 0 || line === undefined) throw new TilthError(`mpirun ended with ${status}: ${stderr}`);
  const { tilth, memoryBytes } = JSON.parse(line) as BenchmarkLine & { memoryBytes: number };
  return { seconds: tilth.median, memoryBytes };
}

/** The rank's part: `rank step <micro-batch> [zero]` takes steps, `rank sum <bytes>` sums that many bytes. */
export async function asRank({ arguments: given, precision, repetitions }: BenchmarkOptions): Promise<BenchmarkLine> {
  const [, kind, size, sharding] = given;
  const ranks = await createCommunicator();
  const backend = await createBackend("cpu", { precision, threads: 1 });
  const work = kind === "sum" ? sums(Number(size)) : steps(Number(size), sharding === "zero");
  const { once, dispose } = work;
  const seconds: number[] = [];
  for (let i = 0; i < repetitions + 2; i++) {
    ranks.barrier();
    const started = performance.now();
    await once();
    ranks.barrier();
    if (i >= 2) seconds.push((performance.now() - started) / 1000);
  }
  const memoryBytes = process.memoryUsage.rss();
  const facts = { name: "rank", config: `${ranks.size} ranks`, unit: "seconds", peerName: "none", shareOfPeak: null };
  dispose();
  backend.dispose();
  ranks.dispose();
  return lineOf({ tilth: { median: quantile(seconds, 0.5), min: Math.min(...seconds) }, peer: null }, facts, {
    memoryBytes,
  });

  function steps(microBatch: number, shardOptimizerState: boolean) {
    const training = quickstartTraining(microBatch, { parallel: { shardOptimizerState } });
    const trainer = new Trainer(backend, llama, quickstartModel(), training, undefined, ranks);
    const random = new Random(1, ranks.rank);
    const batches = Array.from({ length: sequences / microBatch / ranks.size }, () => {
      const tokens = Int32Array.from({ length: microBatch * length }, () => random.below(vocabularySize));
      return { sequences: microBatch, length, tokens, targets: tokens, targetCount: tokens.length };
    });
    return { once: () => trainer.takeStepOn(batches), dispose: () => trainer.dispose() };
  }

  function sums(bytes: number) {
    const block = backend.allocate(bytes);
    const tensor = tensorOver(block, [bytes / 4]);
    backend.kernels.fill(tensor, 1);
    return { once: () => ranks.allReduce(backend, tensor, "f32"), dispose: () => backend.release(block) };
  }
}
