/** Jobs under a real Slurm: its daemons run on this machine for the time of these tests. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashFile } from "../../src/foundation/index.ts";
import { startSlurm } from "../support/slurm.ts";

const slurm = await startSlurm();
const skipped = typeof slurm === "string" ? slurm : undefined;
const mpi = ["mpicc", "mpirun"].every((name) => spawnSync(name, ["--version"]).status === 0);
const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "tilth-jobs-"));
const cli = join(root, "dist", "cli.js");

afterAll(async () => {
  if (typeof slurm !== "string") await slurm.stop();
  rmSync(folder, { recursive: true, force: true });
});

const cluster = () => {
  if (typeof slurm === "string") throw new Error(slurm);
  return slurm;
};

/** Runs tilth where jobs can be submitted; they inherit the environment. */
function tilth(parameters: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const run = spawnSync(process.execPath, [cli, ...parameters], {
    ...{ encoding: "utf8", cwd: folder },
    env: { ...cluster().environment, ...environment },
  });
  expect(run.status, run.stderr).toBe(0);
  return run.stdout + run.stderr;
}

const jobOf = (text: string) => /Job (\d+)/.exec(text)![1];
const jobState = (job: string) => cluster().command("scontrol", "show", "job", job);
const read = (...names: string[]) => {
  const file = join(folder, ...names);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
};

/** Slurm lets a job that was queued again wait for two minutes; once it is, this one may start at once. */
async function queuedAgain(job: string): Promise<void> {
  await until(() => /JobState=PENDING[\s\S]*Restarts=1/.test(jobState(job)), `job ${job} is queued again`);
  // A node takes no job's credential that is of the second in which it gave the job back.
  await sleep(4000);
  await until(() => {
    const state = jobState(job);
    // It may start between the question and the update, which then fails.
    if (/JobState=PENDING/.test(state)) {
      spawnSync("scontrol", ["update", `JobId=${job}`, "StartTime=now"], { env: cluster().environment });
    }
    return /JobState=(RUNNING|COMPLETED)/.test(state);
  }, `job ${job} starts again`);
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1800)
      throw new Error(`waited three minutes until ${what}: ${cluster().command("scontrol", "show", "job")}`);
    await sleep(100);
  }
}

/** Everything of a run's log that must be the same, bit for bit. */
const curve = (run: string) =>
  read(run, "log.jsonl")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ kind }) => kind === "step" || kind === "validation")
    .map(({ step, loss, gradientNorm, learningRate }) => ({ step, loss, gradientNorm, learningRate }));

/** Until `hurry`, every step of the run takes so long that it can be interrupted on any machine. */
function slowly(run: string, milliseconds: number): NodeJS.ProcessEnv {
  writeFileSync(join(folder, `${run}.slow`), String(milliseconds));
  return {
    NODE_OPTIONS: `--require ${join(folder, "slow.cjs")}`,
    SLOW_FILE: join(folder, `${run}.slow`),
    // Ranks that wait for each other must not keep the machine's few processors.
    OMPI_MCA_mpi_yield_when_idle: "1",
  };
}
const hurry = (run: string) => rmSync(join(folder, `${run}.slow`));

const ended = (...jobs: string[]) =>
  until(
    () => jobs.every((job) => /JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT)/.test(jobState(job))),
    `jobs ${jobs} have ended`,
  );

describe.skipIf(skipped !== undefined)(`under Slurm${skipped === undefined ? "" : ` (skipped: ${skipped})`}`, () => {
  beforeAll(() => {
    writeFileSync(
      join(folder, "slow.cjs"),
      `const fs = require("node:fs"); const write = fs.writeSync; const file = process.env.SLOW_FILE;
fs.writeSync = (descriptor, data, ...rest) => {
  if (String(data).includes('"phase":"update"') && fs.existsSync(file))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(fs.readFileSync(file, "utf8")));
  return write(descriptor, data, ...rest);
};
require("node:module").syncBuiltinESMExports();`,
    );
    mkdirSync(join(folder, "text"));
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
      tokenizer: { vocabularySize: 400 },
      model: { width: 32, layers: 2, attentionHeads: 2 },
      training: {
        ...{ steps: 60, sequenceLength: 32, batchSequences: 8, microBatchSequences: 4 },
        ...{ validateEvery: 30, validationSequences: 12, checkpointEvery: 20, schedule: { warmupSteps: 2 } },
      },
    };
    writeFileSync(join(folder, "tilth.config.json"), JSON.stringify(configuration));
    tilth(["train"]);
  });

  it("a run that is preempted saves, is queued again, and ends with the losses of one that nobody disturbed", async () => {
    const job = jobOf(
      tilth(["launch", "--slurm", "--run", "preempted", "--sbatch=--exclusive"], slowly("preempted", 200)),
    );
    await until(() => read("preempted", "log.jsonl").includes('"step":4'), "the run has taken four steps");
    cluster().command("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1");
    await queuedAgain(job);
    hurry("preempted");
    await ended(job);
    const said = read("preempted", `slurm-${job}.out`);
    expect(jobState(job), said).toMatch(/JobState=COMPLETED/);
    expect(said).toMatch(/has saved its state\ntilth: the job is queued again/);
    expect(said).toMatch(/The run is complete after 60 steps/);
    expect(curve("preempted")).toEqual(curve("whole"));
  });

  it.skipIf(!mpi)(
    "two ranks under srun and PMIx share the steps, are preempted together and go on (skipped without MPI)",
    async () => {
      const ranks = ["--tasks-per-node", "2", "--sbatch=--exclusive"];
      const job = jobOf(tilth(["launch", "--slurm", "--run", "ranks", ...ranks], slowly("ranks", 200)));
      await until(() => read("ranks", "log.jsonl").includes('"step":4'), "the run has taken four steps");
      cluster().command("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1");
      await queuedAgain(job);
      hurry("ranks");
      await ended(job);
      const said = read("ranks", `slurm-${job}.out`);
      expect(jobState(job), said).toMatch(/JobState=COMPLETED/);
      const [ours, alone] = [curve("ranks"), curve("whole")];
      expect(ours.length, said).toBe(alone.length);
      ours.forEach(
        ({ loss }, index) => void expect(Math.abs(Number(loss) / Number(alone[index].loss) - 1)).toBeLessThan(1e-4),
      );
    },
  );

  it.concurrent("a run whose time is up saves, is queued again, and ends with the same losses", async () => {
    const limits = ["--time", "1", "--warning", "20"];
    const job = jobOf(tilth(["launch", "--slurm", "--run", "limited", ...limits], slowly("limited", 1000)));
    await queuedAgain(job);
    hurry("limited");
    await ended(job);
    const said = read("limited", `slurm-${job}.out`);
    expect(jobState(job), said).toMatch(/JobState=COMPLETED/);
    expect(said).toMatch(/has saved its state\ntilth: the job is queued again/);
    expect(said).not.toMatch(/DUE TO TIME LIMIT/);
    expect(curve("limited")).toEqual(curve("whole"));
  });

  it.concurrent("a rank that fails ends the job, which is not queued again", async () => {
    cpSync(join(folder, "whole"), join(folder, "broken"), { recursive: true });
    rmSync(join(folder, "broken", "shards", "tokenizer.json"));
    const job = jobOf(tilth(["launch", "--slurm", "--resume", "broken", ...(mpi ? ["--tasks-per-node", "2"] : [])]));
    await ended(job);
    expect(jobState(job)).toMatch(/JobState=FAILED[\s\S]*Restarts=0/);
    expect(read("broken", `slurm-${job}.out`)).toMatch(/has no tokenizer\.json/);
  });

  it.concurrent("a job that people cancel stays cancelled", async () => {
    const job = jobOf(tilth(["launch", "--slurm", "--run", "cancelled"], slowly("cancelled", 200)));
    await until(() => read("cancelled", "log.jsonl").includes('"step":2'), "the run has taken two steps");
    cluster().command("scancel", job);
    await ended(job);
    hurry("cancelled");
    expect(jobState(job)).toMatch(/JobState=CANCELLED.*[\s\S]*Restarts=0/);
  });

  it.concurrent("a data build as an array: an element that fails is reported and run again, and the merge gives the bytes of one build", async () => {
    const configuration = JSON.parse(read("tilth.config.json")) as object;
    writeFileSync(join(folder, "parts.config.json"), JSON.stringify({ ...configuration, runFolder: "parts" }));
    // Element 2 is killed the first time, as by a node that fails.
    writeFileSync(
      join(folder, "kill.cjs"),
      `if (process.env.SLURM_ARRAY_TASK_ID === "2" && process.env.SLURM_RESTART_COUNT === undefined) {
  try { require("node:fs").writeFileSync(${JSON.stringify(join(folder, "killed"))}, "", { flag: "wx" }); }
  catch { return; }
  console.error("element 2 meets its end"); process.kill(process.pid, "SIGKILL");
}`,
    );
    const text = tilth(["launch", "--slurm", "--parts", "3", "--", "data", "build", "parts.config.json"], {
      NODE_OPTIONS: `--require ${join(folder, "kill.cjs")}`,
    });
    expect(text).toMatch(/Job \d+ builds 3 parts, job \d+ merges them/);
    await cluster().idle();
    const said = read("parts", "corpus.slurm", "merge.out");
    expect(said).toMatch(/attempt 1 of 3: of 3 elements these failed: 2\n/);
    expect(said).toMatch(/last lines of element 2 .*part-2\.out/);
    expect(said).toMatch(/element 2 meets its end/);
    expect(said).toMatch(/they run again as job \d+/);
    expect(said).toMatch(/documents .* kept/);
    for (const name of ["documents.parquet", "corpus.json"]) {
      expect(await hashFile(join(folder, "parts/corpus", name)), name).toBe(
        await hashFile(join(folder, "whole/corpus", name)),
      );
    }
  });

  it.concurrent("an element that never succeeds ends the merge with an error after the last attempt", async () => {
    const parts = ["--parts", "2", "--attempts", "2"];
    tilth(["launch", "--slurm", ...parts, "--", "data", "build", "--folder", "nowhere", "--corpus", "none/corpus"]);
    await cluster().idle();
    const said = read("none", "corpus.slurm", "merge.out");
    expect(said).toMatch(/attempt 2 of 2: of 2 elements these failed: 1,2/);
    expect(said).toMatch(/nowhere/);
    expect(said).toMatch(/given up/);
    expect(existsSync(join(folder, "none", "corpus"))).toBe(false);
  });
});
