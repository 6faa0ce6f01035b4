import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-objectives-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 20;
const pictures = 60;

/** Configurations as users write them: a preset, made small. */
const runs = {
  "masked-token": () => {
    cpSync(join(process.cwd(), "src/engine"), join(folder, "text"), { recursive: true });
    return {
      preset: "modernbert-tiny",
      corpus: {
        sources: [{ reader: "folder", path: "text" }],
        settings: { licences: { accept: ["allow", "attribute", "review"] } },
      },
      tokenizer: { vocabularySize: 400 },
      model: { layers: 2, width: 32, attentionHeads: 2, mlpWidth: 48, context: 64 },
      training: { steps, sequenceLength: 64, batchSequences: 4, microBatchSequences: 2, schedule: { warmupSteps: 4 } },
    };
  },
  contrastive: () => {
    const set = join(process.cwd(), "examples/emoji");
    const lines = readFileSync(join(set, "captions.jsonl"), "utf8").split("\n").slice(0, pictures);
    mkdirSync(join(folder, "pictures/images"), { recursive: true });
    writeFileSync(join(folder, "pictures/captions.jsonl"), lines.join("\n"));
    for (const line of lines) {
      const { image } = JSON.parse(line) as { image: string };
      cpSync(join(set, image), join(folder, "pictures", image));
    }
    return {
      preset: "clip-tiny",
      images: { path: "pictures", background: "#ffffff" },
      tokenizer: { vocabularySize: 400 },
      model: {
        ...{ embeddingWidth: 16, text: { width: 16, layers: 1, attentionHeads: 2 } },
        vision: { width: 16, layers: 1, attentionHeads: 2, imageSize: 16, patchSize: 8 },
      },
      training: { steps, batchPairs: 16, microBatchPairs: 8, validateEvery: 10, schedule: { warmupSteps: 4 } },
    };
  },
};

const tilth = (...parameters: string[]) =>
  spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });

/** Trains until a step beyond `step` is in the log, then sends Ctrl-C. */
async function interrupted(run: string, step: number, ...parameters: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [cli, ...parameters], { cwd: folder });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const log = join(folder, run, "log.jsonl");
  while (child.exitCode === null && !(existsSync(log) && readFileSync(log, "utf8").includes(`"step":${step},`))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGINT");
  return ended;
}

it.each(Object.entries(runs))(
  "a configured run of %s that is stopped goes on with the same bits",
  async (name, make) => {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...make(), runFolder: `runs/${name}` }));
    const whole = tilth("train", `${name}.json`);
    expect(whole.status, whole.stderr).toBe(0);
    const stopped = `runs/${name}-stopped`;
    expect(await interrupted(stopped, 5, "train", `${name}.json`, "--run", stopped)).toBe(130);
    const resumed = tilth("train", "--resume", stopped);
    expect(resumed.status, resumed.stderr).toBe(0);
    const checkpoint = `checkpoints/step-${String(steps).padStart(7, "0")}`;
    for (const file of ["model.safetensors", "training-state/optimizer.safetensors"]) {
      const [one, other] = [`runs/${name}`, stopped].map((run) => readFileSync(join(folder, run, checkpoint, file)));
      expect(one.equals(other), file).toBe(true);
    }
    expect(tilth("train", `${name}.json`).stderr).toContain("holds checkpoints of an earlier run");
  },
);

it("a contrastive run is evaluated on the pairs that it held out", () => {
  const run = "runs/contrastive";
  const { test } = JSON.parse(readFileSync(join(folder, run, "pairs.json"), "utf8")) as { test: string[] };
  const checkpoint = join(run, `checkpoints/step-${String(steps).padStart(7, "0")}`);
  const found = tilth("eval", checkpoint, "--images", "pictures", "--held-out", run, "--json");
  expect(found.status, found.stderr).toBe(0);
  expect(JSON.parse(found.stdout)).toMatchObject({ pairs: test.length });
});
