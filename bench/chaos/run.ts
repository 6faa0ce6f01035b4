/** The run that chaos disturbs: a small Llama on this repository's own documentation. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot, TilthError } from "../../src/foundation/index.ts";
import { checkpointNames, checkpointsFolder, RunLog } from "../../src/training/index.ts";

/** The command line of the program under test. */
export const program = [process.execPath, join(packageRoot(), "dist", "cli.js")] as const;

/** What must be the same: every loss, norm and validation, and every byte of the last checkpoint's tensors. */
export interface RunResult {
  readonly records: readonly string[];
  readonly tensors: Readonly<Record<string, Buffer>>;
}

/** A finished run, and its folder without checkpoints and log to begin from. */
export interface WholeRun {
  readonly template: string;
  readonly seconds: number;
  readonly result: RunResult;
}

const training = {
  steps: 30,
  sequenceLength: 32,
  batchSequences: 16,
  microBatchSequences: 8,
  learningRate: 3e-3,
  optimizer: { kind: "muon" },
  weightAverageDecay: 0.95,
  zLoss: 1e-4,
  batchWarmup: { startSequences: 8, incrementSequences: 8, steps: 12 },
  lengthWarmup: { startLength: 16, steps: 10 },
  validateEvery: 10,
  validationSequences: 16,
  checkpointEvery: 3,
  schedule: { warmupSteps: 5 },
};

/** Builds corpus and shards and trains the run once, undisturbed. */
export function prepareRun(folder: string): WholeRun {
  const root = packageRoot();
  mkdirSync(join(folder, "text"), { recursive: true });
  for (const name of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
    cpSync(join(root, name), join(folder, "text", name));
  cpSync(join(root, "docs"), join(folder, "text", "docs"), { recursive: true });
  const configuration = {
    runFolder: "whole",
    device: { precision: "f32", threads: 1 },
    corpus: {
      sources: [{ reader: "folder", path: "text", licence: "Apache-2.0" }],
      settings: { split: { validationShare: 0.2 } },
    },
    tokenizer: { vocabularySize: 512 },
    model: { width: 32, layers: 2, attentionHeads: 2 },
    training,
  };
  writeFileSync(join(folder, "tilth.config.json"), JSON.stringify(configuration));
  run(folder, "train");
  const whole = join(folder, "whole");
  const template = join(folder, "template");
  mkdirSync(template);
  for (const name of ["run.json", "shards"]) cpSync(join(whole, name), join(template, name), { recursive: true });
  // Once more from the template: as long as a disturbed run's processes live, without the corpus.
  rmSync(whole, { recursive: true });
  cpSync(template, whole, { recursive: true });
  const started = performance.now();
  run(folder, "train", "--resume", whole);
  return { template, seconds: (performance.now() - started) / 1000, result: resultOf(whole) };
}

function run(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program[0], [program[1], ...args], { cwd, encoding: "utf8" });
  if (status !== 0) throw new TilthError(`tilth ${args.join(" ")} ended with ${status}: ${stderr}`);
}

/** Log and last checkpoint of a finished run. */
export function resultOf(runFolder: string): RunResult {
  const records = new RunLog(runFolder).read().flatMap((record) => {
    if (record.kind === "validation") return [JSON.stringify(record)];
    if (record.kind !== "step") return [];
    const { step, loss, gradientNorm, learningRate, tokens, updateRatio } = record;
    return [JSON.stringify({ step, loss, gradientNorm, learningRate, tokens, updateRatio })];
  });
  const last = join(checkpointsFolder(runFolder), checkpointNames(runFolder).at(-1) ?? "none");
  const names = ["model.safetensors", "ema/model.safetensors", "training-state/optimizer.safetensors"];
  return { records, tensors: Object.fromEntries(names.map((name) => [name, readFileSync(join(last, name))])) };
}

/** What differs first; undefined where nothing does. */
export function sameResult(ours: RunResult, whole: RunResult): string | undefined {
  const index = whole.records.findIndex((record, i) => record !== ours.records[i]);
  if (index >= 0) return `record ${index} is ${ours.records[index]} instead of ${whole.records[index]}`;
  if (ours.records.length !== whole.records.length)
    return `${ours.records.length} records instead of ${whole.records.length}`;
  return Object.keys(whole.tensors).find((name) => !ours.tensors[name].equals(whole.tensors[name]));
}
