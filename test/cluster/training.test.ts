/** The same run on one rank and on several: the same losses to rounding, one log, checkpoints that either continues. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/formats/index.ts";

const mpi = spawnSync("mpicc", ["--version"]).status === 0 && spawnSync("mpirun", ["--version"]).status === 0;
const environment = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
const cli = join(import.meta.dirname, "..", "..", "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-ranks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...args: string[]) =>
  spawnSync(process.execPath, [cli, ...args], { encoding: "utf8", cwd: folder, env: environment });

interface Step {
  readonly kind: string;
  readonly step: number;
  readonly loss: number;
  readonly tokens?: number;
}
const logOf = (run: string) =>
  readFileSync(join(folder, run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Step);
const losses = (run: string) => logOf(run).filter(({ kind }) => kind === "step" || kind === "validation");

describe.skipIf(!mpi)("training on MPI ranks (skipped where mpicc or mpirun is missing)", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "text"));
    for (const name of [
      "README.md",
      "CONTRIBUTING.md",
      "docs/architecture.md",
      "docs/performance.md",
      "docs/scaling.md",
    ]) {
      cpSync(join(import.meta.dirname, "..", "..", name), join(folder, "text", name.replace("/", "-")));
    }
    const configuration = {
      runFolder: "single",
      device: { precision: "f32", threads: 1 },
      corpus: {
        sources: [{ reader: "folder", path: "text", licence: "Apache-2.0" }],
        settings: { split: { validationShare: 0.2 } },
      },
      tokenizer: { vocabularySize: 400 },
      model: { width: 32, layers: 2, attentionHeads: 2 },
      training: {
        steps: 12,
        sequenceLength: 32,
        batchSequences: 8,
        microBatchSequences: 2,
        validateEvery: 6,
        validationSequences: 12,
        checkpointEvery: 6,
        schedule: { warmupSteps: 2 },
      },
    };
    writeFileSync(join(folder, "tilth.config.json"), JSON.stringify(configuration));
    const run = tilth("train");
    expect(run.status, run.stderr).toBe(0);
  });

  it.each([2, 4])("%i ranks log the losses of one rank", (ranks) => {
    const run = tilth("launch", "--mpi", String(ranks), "--threads", "1", "--run", `ranks-${ranks}`);
    expect(run.status, run.stderr).toBe(0);
    const [ours, single] = [losses(`ranks-${ranks}`), losses("single")];
    expect(ours.map(({ kind, step, tokens }) => [kind, step, tokens])).toEqual(
      single.map(({ kind, step, tokens }) => [kind, step, tokens]),
    );
    ours.forEach(({ loss }, index) => void expect(Math.abs(loss / single[index].loss - 1)).toBeLessThan(1e-5));
  });

  it.each([
    [2, "adamw"],
    [4, "adamw"],
    [2, "muon"],
    [4, "muon"],
  ])("%i ranks that share the optimizer's state (ZeRO-1) take the steps of one rank with %s", (ranks, kind) => {
    const optimizer = `training.optimizer.kind=${kind}`;
    const alone = kind === "adamw" ? "single" : "single-muon";
    if (!existsSync(join(folder, alone, "log.jsonl")))
      expect(tilth("train", "--set", optimizer, "--run", alone).status).toBe(0);
    const sharded = ["--set", optimizer, "--set", "training.parallel.shardOptimizerState=true"];
    const name = `zero-${kind}-${ranks}`;
    const run = tilth("launch", "--mpi", String(ranks), "--threads", "1", "--run", name, ...sharded);
    expect(run.status, run.stderr).toBe(0);
    const [ours, single] = [losses(name), losses(alone)];
    expect(ours).toHaveLength(single.length);
    ours.forEach(({ loss }, index) => void expect(Math.abs(loss / single[index].loss - 1)).toBeLessThan(1e-5));
    // The checkpoint holds the whole state, whoever kept it.
    const [shared, whole] = [name, alone].map((one) => {
      const file = readSafetensors(
        join(folder, one, "checkpoints", "step-0000012", "training-state", "optimizer.safetensors"),
      );
      const state = file.names.map((tensor) => [tensor, file.floats(tensor).data] as const);
      file.close();
      return state;
    });
    shared.forEach(([tensor, data], index) => {
      expect(tensor).toBe(whole[index][0]);
      const size = Math.max(...whole[index][1].map(Math.abs));
      data.forEach((value, i) => void expect(Math.abs(value - whole[index][1][i])).toBeLessThan(1e-3 * size));
    });
  });

  it("one rank continues what ranks with a shared state began", () => {
    cpSync(join(folder, "zero-adamw-4"), join(folder, "gathered"), { recursive: true });
    rmSync(join(folder, "gathered", "checkpoints", "step-0000012"), { recursive: true });
    const run = tilth("train", "--resume", "gathered", "--set", "training.microBatchSequences=8");
    expect(run.status, run.stderr).toBe(0);
    const [gathered, single] = [losses("gathered"), losses("single")];
    gathered.forEach(({ loss }, index) => void expect(Math.abs(loss / single[index].loss - 1)).toBeLessThan(1e-5));
  });

  it("gradients rounded to bf16 on their way, in small buckets, stay near", () => {
    const settings = ["--set", "training.parallel.reduction=bf16", "--set", "training.parallel.bucketBytes=4096"];
    const run = tilth("launch", "--mpi", "2", "--threads", "1", "--run", "bf16", ...settings);
    expect(run.status, run.stderr).toBe(0);
    const [ours, single] = [losses("bf16"), losses("single")];
    const apart = ours.map(({ loss }, index) => Math.abs(loss / single[index].loss - 1));
    expect(Math.max(...apart)).toBeLessThan(5e-3);
    expect(Math.max(...apart)).toBeGreaterThan(0);
  });

  it("a rank that is killed ends all of them, and the run goes on from its last checkpoint", async () => {
    const long = ["--set", "training.steps=4000", "--set", "training.checkpointEvery=10", "--run", "broken"];
    const child = spawn(process.execPath, [cli, "launch", "--mpi", "2", "--threads", "1", ...long], {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (data: Buffer) => {
      text += data.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const latest = join(folder, "broken", "checkpoints", "latest");
    while (child.exitCode === null && !existsSync(latest)) await sleep(20);
    const second = spawnSync(
      "pgrep",
      ["-P", spawnSync("pgrep", ["-P", String(child.pid)], { encoding: "utf8" }).stdout.trim()],
      {
        encoding: "utf8",
      },
    )
      .stdout.trim()
      .split("\n")
      .at(-1);
    process.kill(Number(second), "SIGKILL");
    expect(await ended).not.toBe(0);
    expect(text).toMatch(/signal 9|non-zero/);
    expect(text).toMatch(/tilth launch --resume/);
    const { stderr } = spawnSync(process.execPath, [cli, "train", "--resume", "broken"], {
      ...{ cwd: folder, env: environment, encoding: "utf8" },
      ...{ timeout: 15_000, killSignal: "SIGINT" },
    });
    expect(stderr).toMatch(/saved .*step-\d+/);
  });

  it("ranks continue what one rank began, and one rank what they began", () => {
    cpSync(join(folder, "ranks-2"), join(folder, "mixed"), { recursive: true });
    rmSync(join(folder, "mixed", "checkpoints", "step-0000012"), { recursive: true });
    writeFileSync(join(folder, "mixed", "checkpoints", "latest"), "step-0000006\n");
    const run = tilth("train", "--resume", "mixed");
    expect(run.status, run.stderr).toBe(0);
    const [mixed, single] = [losses("mixed"), losses("single")];
    expect(mixed).toHaveLength(single.length);
    mixed.forEach(({ loss }, index) => void expect(Math.abs(loss / single[index].loss - 1)).toBeLessThan(1e-5));
  });

  it("says what to change where ranks cannot share a step evenly", () => {
    const run = tilth("launch", "--mpi", "3", "--threads", "1", "--run", "uneven");
    expect(run.status).not.toBe(0);
    expect(run.stderr).toMatch(/a step has 4 micro-batches, which 3 ranks cannot share evenly/);
  });
});

describe("tilth launch --dry-run", () => {
  it("prints a batch script that bash accepts and that queues itself again", () => {
    const run = tilth("launch", "--slurm", "--nodes", "2", "--threads", "4", "--run", "it's", "--dry-run");
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/#SBATCH --nodes=2/);
    expect(run.stdout).toMatch(/#SBATCH --signal=TERM@120/);
    expect(run.stdout).toMatch(/scontrol requeue/);
    expect(spawnSync("bash", ["-n"], { input: run.stdout }).status).toBe(0);
  });

  it("asks for one launcher", () => {
    const run = tilth("launch");
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/either --mpi <ranks> or --slurm/);
  });
});
