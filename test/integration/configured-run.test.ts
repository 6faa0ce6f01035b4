import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-configured-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tilth(parameters: string[], environment: Record<string, string | undefined> = {}) {
  return spawnSync(process.execPath, [cli, ...parameters], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, ...environment },
  });
}

describe("a run from `tilth init`", () => {
  it("is checked, trained, evaluated, never overwritten, and its tokenizer can be looked into", () => {
    cpSync(join(process.cwd(), "src"), join(folder, "text"), { recursive: true });
    expect(tilth(["init"]).stderr).toContain("Wrote");
    expect(tilth(["init"]).status).toBe(2);
    const small = ["training.steps=12", "training.schedule.warmupSteps=2", "tokenizer.vocabularySize=600"]
      .concat(["model.layers=1", "model.width=64", "model.attentionHeads=2", "training.sequenceLength=64"])
      .flatMap((one) => ["--set", one]);
    const checked = tilth(["train", "--dry-run", ...small]);
    expect(checked.status, checked.stderr).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ training: { steps: 12, optimizer: { kind: "muon" } } });
    expect(existsSync(join(folder, "runs"))).toBe(false);

    const trained = tilth(["train", ...small, "--json"]);
    expect(trained.status, trained.stderr).toBe(0);
    const records = trained.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; step: number; loss: number });
    const steps = records.filter(({ kind }) => kind === "step");
    expect(steps).toHaveLength(12);
    expect(steps[11].loss).toBeLessThan(steps[0].loss);

    const description = JSON.parse(readFileSync(join(folder, "runs/first/run.json"), "utf8"));
    expect(description).toMatchObject({
      configuration: { corpus: { sources: [{ reader: "folder", path: join(folder, "text") }] } },
      environment: { node: process.version },
      training: { steps: 12 },
    });
    const again = tilth(["train", ...small]);
    expect(again.status).toBe(2);
    expect(again.stderr).toContain("holds checkpoints of an earlier run");

    const checkpoint = "runs/first/checkpoints/step-0000012";
    const evaluated = tilth(["eval", checkpoint, "--corpus", "runs/first/corpus", "--window", "64", "--stride", "32"]);
    expect(evaluated.stdout, evaluated.stderr).toContain("bits per byte");
    const inspected = tilth(["tokenizer", "inspect", checkpoint, "--json"]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({ vocabularySize: 600, pattern: "gpt2" });
    const encoded = tilth(["tokenizer", "encode", checkpoint, "text/index.ts", "--json"]);
    expect((JSON.parse(encoded.stdout) as number[]).length).toBeGreaterThan(10);
  });
});

describe("without a compiler", () => {
  it("the quickstart says what to install, once, and ends on the reference backend", () => {
    const programs = join(folder, "programs");
    mkdirSync(programs);
    symlinkSync(process.execPath, join(programs, "node"));
    const { status, stderr, stdout } = tilth(
      ["quickstart", "--minutes", "0.05", "--corpus", "text/cli", "--vocabulary", "400", "--run", "slow", "--json"],
      { PATH: programs, CXX: undefined, TILTH_ISA: undefined, TILTH_CACHE: join(folder, "cache") },
    );
    expect(status, stderr).toBe(0);
    expect(stderr.match(/no C\+\+ compiler was found/g)).toHaveLength(1);
    expect(stderr).toMatch(/apt install g\+\+|xcode-select/);
    expect(stderr).toContain("reference (TypeScript");
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { validationBitsPerByte: number; steps: number };
    expect(result.validationBitsPerByte).toBeGreaterThan(0);
    expect(result.steps).toBeGreaterThanOrEqual(20);
  });
});
