/** A contrastive run on one rank and on several: every rank's pairs are told apart from those of all. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const mpi = ["mpicc", "mpirun"].every((name) => spawnSync(name, ["--version"]).status === 0);
const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "tilth-pair-ranks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...parameters: string[]) =>
  spawnSync(process.execPath, [join(root, "dist", "cli.js"), ...parameters], {
    ...{ encoding: "utf8", cwd: folder },
    env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" },
  });

interface Record {
  readonly kind: string;
  readonly step: number;
  readonly loss: number;
  readonly pairs?: number;
  readonly tokens?: number;
}
const curve = (run: string) =>
  readFileSync(join(folder, run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record)
    .filter(({ kind }) => kind === "step" || kind === "validation");

function expectSameCurve(run: string, alone: string): void {
  const [ours, theirs] = [curve(run), curve(alone)];
  expect(ours.map(({ kind, step, pairs }) => [kind, step, pairs])).toEqual(
    theirs.map(({ kind, step, pairs }) => [kind, step, pairs]),
  );
  ours.forEach(({ loss }, index) => void expect(Math.abs(loss / theirs[index].loss - 1)).toBeLessThan(1e-4));
}

describe.skipIf(!mpi)("contrastive training on MPI ranks (skipped where mpicc or mpirun is missing)", () => {
  beforeAll(() => {
    // The first 96 pictures of the example set, and one that no rank can decode.
    const emoji = join(root, "examples", "emoji");
    const lines = readFileSync(join(emoji, "captions.jsonl"), "utf8").split("\n").slice(0, 96);
    mkdirSync(join(folder, "set"));
    for (const line of lines) {
      const { image } = JSON.parse(line) as { image: string };
      mkdirSync(join(folder, "set", image, ".."), { recursive: true });
      cpSync(join(emoji, image), join(folder, "set", image));
    }
    writeFileSync(join(folder, "set", "broken.png"), "no image");
    writeFileSync(
      join(folder, "set", "captions.jsonl"),
      [...lines, JSON.stringify({ image: "broken.png", caption: "nothing" })].join("\n"),
    );
    const tower = { layers: 1, attentionHeads: 2 };
    const sizes = {
      clip: {
        embeddingWidth: 16,
        text: { width: 32, ...tower },
        vision: { width: 32, ...tower, imageSize: 32, patchSize: 8 },
      },
      siglip: { width: 32, text: tower, vision: { ...tower, imageSize: 32, patchSize: 8 } },
    };
    for (const architecture of ["clip", "siglip"] as const) {
      const configuration = {
        runFolder: architecture,
        objective: { kind: "contrastive" },
        telemetry: { tensorboard: true },
        device: { precision: "f32", threads: 1 },
        images: { path: "set", validationShare: 0.15, testShare: 0.1 },
        tokenizer: { vocabularySize: 300 },
        model: { architecture, context: 16, ...sizes[architecture] },
        training: {
          ...{ steps: 8, batchPairs: 24, microBatchPairs: 24, validateEvery: 4, checkpointEvery: 4 },
          ...{
            learningRate: 2e-3,
            schedule: { warmupSteps: 1 },
            augmentation: { cropShare: [0.6, 1], flip: 0.5, wordDropout: 0.2, patchDropout: 0.25 },
          },
        },
      };
      writeFileSync(join(folder, `${architecture}.json`), JSON.stringify(configuration));
      const run = tilth("train", `${architecture}.json`);
      expect(run.status, run.stderr).toBe(0);
    }
  });

  it.each([
    [2, "clip", []],
    [4, "clip", ["--set", "training.microBatchPairs=4"]],
    [2, "clip", ["--set", "training.parallel.shardOptimizerState=true"]],
    [2, "siglip", []],
  ] as const)("%i ranks log the losses of one rank: %s %s", (ranks, architecture, settings) => {
    const name = `${architecture}-${ranks}-${settings.length === 0 ? "plain" : settings[1].split("=")[0]}`;
    const run = tilth(
      "launch",
      `${architecture}.json`,
      "--mpi",
      String(ranks),
      "--threads",
      "1",
      "--run",
      name,
      ...settings,
    );
    expect(run.status, run.stderr).toBe(0);
    expectSameCurve(name, architecture);
  });

  it("one rank continues what two began", () => {
    cpSync(join(folder, "clip-2-plain"), join(folder, "mixed"), { recursive: true });
    rmSync(join(folder, "mixed", "checkpoints", "step-0000008"), { recursive: true });
    // In micro-batches, on two threads: the same numbers, to rounding.
    const settings = ["--set", "device.threads=2", "--set", "training.microBatchPairs=8"];
    const run = tilth("train", "--resume", "mixed", ...settings);
    expect(run.status, run.stderr).toBe(0);
    expectSameCurve("mixed", "clip");
    expect(readdirSync(join(folder, "mixed", "tensorboard"))).not.toEqual([]);
  });

  it("says what to change where ranks cannot share a batch evenly", () => {
    const run = tilth("launch", "clip.json", "--mpi", "5", "--threads", "1", "--run", "uneven");
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/a batch has 24 pairs, which 5 ranks cannot share evenly/);
  });
});
