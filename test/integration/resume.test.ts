import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-resume-"));
const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];

interface StepLine {
  kind: string;
  step: number;
  loss: number;
  gradientNorm: number;
}

function stepsOf(run: string): { step: number; loss: number; gradientNorm: number }[] {
  return readFileSync(join(run, "log.jsonl"), "utf8")
    .split("\n")
    .flatMap((line) => {
      // While the run writes, its last line may not be whole.
      try {
        return [JSON.parse(line) as StepLine];
      } catch {
        return [];
      }
    })
    .filter(({ kind }) => kind === "step")
    .map(({ step, loss, gradientNorm }) => ({ step, loss, gradientNorm }));
}

const tilth = (...parameters: string[]) =>
  spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });

/** Starts `train --resume` and sends `signal` once a step beyond `step` is in the log. */
async function interrupt(
  run: string,
  step: number,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [cli, "train", "--resume", run], { cwd: folder });
  let text = "";
  child.stderr.on("data", (data: Buffer) => {
    text += data.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const log = join(run, "log.jsonl");
  while (child.exitCode === null && !(existsSync(log) && (stepsOf(run).at(-1)?.step ?? 0) > step)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill(signal);
  return { code: await ended, text };
}

describe("a run that is stopped", () => {
  let steps = 0;

  beforeAll(() => {
    // A real run on the PEP-like text of this repository's own documentation and sources.
    const corpus = join(process.cwd(), "src");
    const made = tilth("quickstart", "--minutes", "0.05", "--corpus", corpus, "--run", whole, "--vocabulary", "500");
    expect(made.stderr).toContain("Summary");
    // The same run, from its description and data alone, with frequent checkpoints.
    const description = JSON.parse(readFileSync(join(whole, "run.json"), "utf8"));
    description.training = { ...description.training, steps: 60, checkpointEvery: 7, validateEvery: 25 };
    steps = description.training.steps;
    for (const run of [whole, killed]) {
      if (run === killed) cpSync(whole, killed, { recursive: true });
      rmSync(join(run, "checkpoints"), { recursive: true, force: true });
      rmSync(join(run, "log.jsonl"), { force: true });
      writeFileSync(join(run, "run.json"), JSON.stringify(description));
    }
    const trained = tilth("train", "--resume", whole);
    expect(trained.stderr).toContain("The run is complete");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("goes on with the same bits after kill -9 at any time and after Ctrl-C", async () => {
    for (const [step, signal] of [
      [3, "SIGKILL"],
      [9, "SIGKILL"],
      [23, "SIGINT"],
      [38, "SIGKILL"],
    ] as const) {
      const { code, text } = await interrupt(killed, step, signal);
      if (signal === "SIGINT") {
        expect(text).toContain("the state is saved");
        expect(code).toBe(130);
      }
    }
    const finished = tilth("train", "--resume", killed);
    expect(finished.stderr).toContain("The run is complete");
    expect(stepsOf(killed)).toEqual(stepsOf(whole));
    expect(stepsOf(killed)).toHaveLength(steps);
    const name = `checkpoints/step-${String(steps).padStart(7, "0")}/model.safetensors`;
    expect(readFileSync(join(killed, name)).equals(readFileSync(join(whole, name)))).toBe(true);
  });

  it("finds a truncated checkpoint by its checksum and takes the one before it, loudly", () => {
    const name = `checkpoints/step-${String(steps).padStart(7, "0")}`;
    truncateSync(join(killed, name, "model.safetensors"), 1000);
    const resumed = tilth("train", "--resume", killed);
    expect(resumed.stderr).toContain("is damaged: model.safetensors");
    expect(resumed.stderr).toContain("The run is complete");
    expect(stepsOf(killed)).toEqual(stepsOf(whole));
  });

  it("says what is wrong with a truncated checkpoint that should generate", () => {
    const name = join(killed, `checkpoints/step-${String(steps).padStart(7, "0")}`);
    truncateSync(join(name, "model.safetensors"), 1000);
    const generated = tilth("generate", name);
    expect(generated.status).toBe(1);
    expect(generated.stderr).toMatch(/^tilth: .*model\.safetensors/m);
  });

  it("generates the same text from the same seed", () => {
    const name = join(whole, `checkpoints/step-${String(steps).padStart(7, "0")}`);
    const [once, twice] = [1, 2].map(() =>
      tilth("generate", name, "--prompt", "import", "--tokens", "20", "--seed", "5"),
    );
    expect(once.status).toBe(0);
    expect(once.stdout.startsWith("import")).toBe(true);
    expect(twice.stdout).toBe(once.stdout);
  });
});
