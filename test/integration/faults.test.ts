/** What happens to a run when the machine fails: a fault each, injected into the real program. docs/reliability.md has the table. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepareRun, program, resultOf, sameResult, type WholeRun } from "../../bench/chaos/run.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-faults-"));
let whole: WholeRun;
let count = 0;
beforeAll(() => {
  whole = prepareRun(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run that has not taken a step yet. */
function fresh(): string {
  const run = join(folder, `run-${count++}`);
  cpSync(whole.template, run, { recursive: true });
  return run;
}

const resume = (run: string, environment: NodeJS.ProcessEnv = {}) =>
  spawnSync(program[0], [program[1], "train", "--resume", run], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });

/** Resumes the run without the fault, and compares it with the one that met none. */
function expectWhole(run: string): void {
  const { status, stderr } = resume(run);
  expect(status, stderr).toBe(0);
  expect(sameResult(resultOf(run), whole.result)).toBeUndefined();
}

/** Sends signals once the run has taken some steps. */
async function signalled(run: string, signals: readonly NodeJS.Signals[]) {
  const child = spawn(program[0], [program[1], "train", "--resume", run], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.on("data", (data: Buffer) => {
    text += data.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const log = join(run, "log.jsonl");
  while (child.exitCode === null && !(existsSync(log) && readFileSync(log, "utf8").includes('"step":4')))
    await sleep(5);
  for (const signal of signals) {
    child.kill(signal);
    await sleep(2);
  }
  return { code: await ended, text };
}

const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
const canPreload = process.platform === "linux" && compiler !== undefined;

describe.skipIf(!canPreload)("EIO from the disk (skipped where no C compiler or no LD_PRELOAD is)", () => {
  it("while a checkpoint is written: it is left out, loudly, and training goes on to the same end", () => {
    const [source, shim] = [join(folder, "fault.c"), join(folder, "fault.so")];
    writeFileSync(
      source,
      `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int faulty(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "step-0000009.tilth-partial") && strstr(path, "optimizer");
}
ssize_t write(int fd, const void* data, size_t count) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (faulty(fd)) { errno = EIO; return -1; }
  return real(fd, data, count);
}
`,
    );
    const built = spawnSync(compiler!, ["-shared", "-fPIC", "-o", shim, source, "-ldl"], { encoding: "utf8" });
    expect(built.status, built.stderr).toBe(0);
    const run = fresh();
    const { status, stderr } = resume(run, { LD_PRELOAD: shim });
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(
      /the checkpoint of step 9 could not be written: the disk failed while .* was written \(EIO.*training goes on, the last good one is of step 6/,
    );
    expect(sameResult(resultOf(run), whole.result)).toBeUndefined();
    expect(readdirSync(join(run, "checkpoints")).filter((name) => name.includes("partial"))).toEqual([]);
  });
});

const canMount = spawnSync("unshare", ["-m", "true"]).status === 0;

describe.skipIf(!canMount)(
  "a folder that becomes read-only (skipped where unshare may not make a mount namespace)",
  () => {
    it("is told at every checkpoint and at the end; the run goes on from what was there", () => {
      const run = fresh();
      const checkpoints = join(run, "checkpoints");
      mkdirSync(checkpoints);
      const script = `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && "$2" "$3" train --resume "$4"`;
      const { status, stderr } = spawnSync("unshare", ["-m", "bash", "-c", script, "-", checkpoints, ...program, run], {
        encoding: "utf8",
      });
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /the checkpoint of step 3 could not be written: .*cannot be written: EROFS.*training goes on, there is none yet/,
      );
      expect(stderr).toMatch(/^tilth: .*step-0000030 cannot be written: EROFS/m);
      expect(stderr).not.toContain("    at ");
      expectWhole(run);
    });
  },
);

it("SIGTERM saves and leaves with 130; the run goes on to the same end", async () => {
  const run = fresh();
  const { code, text } = await signalled(run, ["SIGTERM"]);
  expect(code, text).toBe(130);
  expect(text).toMatch(/stopped after step \d+ of 30; the state is saved/);
  expectWhole(run);
});

it("a run that was stopped goes on with other threads and micro-batches, to the same numbers but for rounding", async () => {
  const run = fresh();
  const { code, text } = await signalled(run, ["SIGTERM", "SIGTERM"]);
  expect(code, text).toBe(130);
  expect(text).toMatch(/the state is saved/);
  const settings = ["--set", "device.threads=2", "--set", "training.microBatchSequences=4"];
  const { status, stderr } = spawnSync(program[0], [program[1], "train", "--resume", run, ...settings], {
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  const losses = (records: readonly string[]) => records.map((record) => (JSON.parse(record) as { loss: number }).loss);
  const [ours, undisturbed] = [losses(resultOf(run).records), losses(whole.result.records)];
  expect(ours).toHaveLength(undisturbed.length);
  ours.forEach((loss, index) => void expect(Math.abs(loss / undisturbed[index] - 1)).toBeLessThan(1e-3));
});

it("SIGINT twice leaves at once, without saving; the run goes on from its last checkpoint", async () => {
  const run = fresh();
  const { code, text } = await signalled(run, ["SIGINT", "SIGINT"]);
  expect(code, text).toBe(130);
  expect(text).not.toMatch(/the state is saved/);
  expectWhole(run);
});

it("a clock that jumps, back and forth, changes nothing but times of day", () => {
  const jump = join(folder, "jump.cjs");
  writeFileSync(
    jump,
    `const now = Date.now; let calls = 0;
Date.now = () => now() + (Math.floor(calls++ / 7) % 2 === 0 ? 864e5 : -864e5);`,
  );
  const run = fresh();
  const { status, stderr } = resume(run, { NODE_OPTIONS: `--require ${jump}` });
  expect(status, stderr).toBe(0);
  expect(sameResult(resultOf(run), whole.result)).toBeUndefined();
});

it("a truncated token shard is an error that names it, before the first step", () => {
  const run = fresh();
  const name = readdirSync(join(run, "shards")).find((one) => one.startsWith("train") && one.endsWith(".bin"))!;
  const file = join(run, "shards", name);
  writeFileSync(file, readFileSync(file).subarray(0, 100));
  const { status, stderr } = resume(run);
  expect(status).toBe(1);
  expect(stderr).toContain(name.replace(".bin", ""));
  expect(stderr).not.toContain("    at ");
  expect(existsSync(join(run, "checkpoints", "latest"))).toBe(false);
});

it("a bit that flips in a token shard stops the run before it is trained on; shards made anew end it as if nothing had happened", () => {
  const run = fresh();
  // The template has no corpus: it is built again from its sources, which the description names.
  const file = join(run, "shards", "train.bin");
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(file, bytes);
  const { status, stderr } = resume(run);
  expect(status).toBe(1);
  expect(stderr).toMatch(/train\.bin is damaged: the checksum of bytes \d+ to \d+ is/);
  expect(stderr).toMatch(/tilth train --resume <run> --rebuild-shards/);
  expect(stderr).not.toContain("    at ");
  const rebuilt = spawnSync(program[0], [program[1], "train", "--resume", run, "--rebuild-shards"], {
    encoding: "utf8",
  });
  expect(rebuilt.status, rebuilt.stderr).toBe(0);
  expect(sameResult(resultOf(run), whole.result)).toBeUndefined();
});

it("runs killed at random instants end as the one that nobody disturbed (npm run chaos)", () => {
  const chaos = spawnSync(process.execPath, ["dist/chaos.js", "--runs", "2", "--seed", "11", "--json"], {
    encoding: "utf8",
  });
  expect(JSON.parse(chaos.stdout), chaos.stderr).toMatchObject({ runs: 2, identical: 2, lost: 0 });
});
