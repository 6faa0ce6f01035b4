/** How the quickstart's step scales from one MPI rank to two, a thread each: efficiency = seconds alone / (2 · seconds of two). */
import { spawnSync } from "node:child_process";
import { createCommunicator, mpirunArguments, requireMpi } from "../src/cluster/index.ts";
import { createBackend } from "../src/engine/index.ts";
import { quantile, Random, TilthError } from "../src/foundation/index.ts";
import { llama } from "../src/models/index.ts";
import { Trainer, trainingConfiguration } from "../src/training/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";

const [length, sequences, microBatch, vocabularySize] = [256, 16, 8, 4096];
const rounds = 3;

/** One and two ranks in turns; the same global batch. */
export async function ranksBenchmark(options: BenchmarkOptions): Promise<BenchmarkLine> {
  if (options.arguments[0] === "rank") return asRank(options);
  requireMpi();
  const seconds: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 0; round < rounds; round++)
    for (const ranks of [1, 2] as const) seconds[ranks].push(measured(ranks, options));
  const efficiencies = seconds[1].map((alone, round) => alone / (2 * seconds[2][round]));
  return lineOf(
    { tilth: { median: quantile(efficiencies, 0.5), min: Math.min(...efficiencies) }, peer: null },
    {
      name: "ranks",
      config: `quickstart, ${sequences} × ${length}, ${options.precision}, 1 and 2 ranks of 1 thread`,
      unit: "scaling efficiency",
      peerName: "none",
      shareOfPeak: null,
    },
    { stepSecondsOfOne: quantile(seconds[1], 0.5), stepSecondsOfTwo: quantile(seconds[2], 0.5) },
  );
}

function measured(ranks: number, { precision, repetitions }: BenchmarkOptions): number {
  const program = [process.execPath, process.argv[1], "ranks", "rank", "--json", "--precision", precision];
  const launch = { ranks, threads: 1, processors: 2, program: [...program, "--repetitions", String(repetitions)] };
  const { status, stdout, stderr } = spawnSync("mpirun", mpirunArguments(launch), { encoding: "utf8" });
  const line = stdout.split("\n").find((one) => one.startsWith("{"));
  if (status !== 0 || line === undefined) throw new TilthError(`mpirun ended with ${status}: ${stderr}`);
  return (JSON.parse(line) as BenchmarkLine).tilth.median;
}

/** What mpirun starts: its seconds a step. */
async function asRank(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const ranks = await createCommunicator();
  const backend = await createBackend("cpu", { precision: options.precision, threads: 1 });
  const configuration = llama.schema.parse({
    layers: 5,
    width: 192,
    attentionHeads: 6,
    vocabularySize,
    context: length,
  });
  const sizes = { sequenceLength: length, batchSequences: sequences, microBatchSequences: microBatch };
  const training = trainingConfiguration.parse({ steps: 1e6, ...sizes });
  const trainer = new Trainer(backend, llama, configuration, training, undefined, ranks);
  const random = new Random(1, ranks.rank);
  const batches = Array.from({ length: sequences / microBatch / ranks.size }, () => {
    const tokens = Int32Array.from({ length: microBatch * length }, () => random.below(vocabularySize));
    return { sequences: microBatch, length, tokens, targets: tokens, targetCount: tokens.length };
  });
  const seconds: number[] = [];
  for (let i = 0; i < options.repetitions + 2; i++) {
    ranks.barrier();
    const started = performance.now();
    await trainer.takeStepOn(batches);
    ranks.barrier();
    if (i >= 2) seconds.push((performance.now() - started) / 1000);
  }
  trainer.dispose();
  backend.dispose();
  const { size } = ranks;
  ranks.dispose();
  const facts = { name: "rank", config: `${size} ranks`, unit: "seconds a step", peerName: "none", shareOfPeak: null };
  return lineOf({ tilth: { median: quantile(seconds, 0.5), min: Math.min(...seconds) }, peer: null }, facts);
}
