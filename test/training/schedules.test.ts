/** What changes over a run: batches, lengths, groups, averages, and when it ends. */
import { readdirSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { readSafetensorsFolder } from "../../src/formats/index.ts";
import { sequencesFrom } from "../../src/objectives/index.ts";
import { hasStoppedImproving } from "../../src/training/early-stop.ts";
import { batchSequencesAt, checkpointNames, sequenceLengthAt, sequencesBefore } from "../../src/training/index.ts";
import { cutShorter } from "../../src/training/shorter-sequences.ts";
import { TinyRun } from "../support/tiny-run.ts";

const runs: TinyRun[] = [];
const tiny = (training?: Readonly<Record<string, unknown>>) => {
  runs.push(new TinyRun(training));
  return runs[runs.length - 1];
};
afterEach(() => {
  for (const run of runs.splice(0)) run.remove();
});

/** All weights of a checkpoint by name. */
function weightsOf(folder: string): Map<string, Float32Array> {
  const file = readSafetensorsFolder(folder);
  const weights = new Map(file.names.map((name) => [name, file.floats(name).data]));
  file.close();
  return weights;
}

describe("batch warmup", () => {
  const settings = { batchSequences: 16, batchWarmup: { startSequences: 4, incrementSequences: 4, steps: 9 } };

  it("grows in equal stages", () => {
    const sizes = Array.from({ length: 12 }, (_, index) => batchSequencesAt(index + 1, settings));
    expect(sizes).toEqual([4, 4, 4, 8, 8, 8, 12, 12, 12, 16, 16, 16]);
  });

  it("passes over every sequence once an epoch, whatever the batches", () => {
    const seen: number[] = [];
    for (let batch = 1; batch <= 9; batch++) {
      seen.push(...sequencesFrom(sequencesBefore(batch, settings), batchSequencesAt(batch, settings), 72, 5));
    }
    expect(seen).toHaveLength(72);
    expect(new Set(seen).size).toBe(72);
    expect(sequencesBefore(13, settings)).toBe(72 + 3 * 16);
  });
});

describe("length warmup", () => {
  it("doubles up to the whole length", () => {
    const settings = { sequenceLength: 64, lengthWarmup: { startLength: 16, steps: 4 } };
    expect([1, 2, 3, 4, 5, 9].map((step) => sequenceLengthAt(step, settings))).toEqual([16, 16, 32, 32, 64, 64]);
  });

  it("cuts sequences without moving a token; a document cannot be seen beyond its piece", () => {
    const tokens = Int32Array.from({ length: 16 }, (_, index) => index);
    const visibleFrom = Int32Array.of(0, 0, 0, 3, 3, 3, 3, 3, 0, 0, 2, 2, 2, 2, 6, 6);
    const batch = { sequences: 2, length: 8, tokens, targets: tokens, targetCount: 16, visibleFrom };
    const cut = cutShorter(batch, 4);
    expect(cut).toMatchObject({ sequences: 4, length: 4, targetCount: 16 });
    expect(cut.tokens).toBe(tokens);
    expect([...cut.visibleFrom!]).toEqual([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 2, 2]);
  });
});

describe("parameter groups", () => {
  it("of rate 0 without decay stay as they were; the first pattern that fits counts", async () => {
    const run = tiny({
      checkpointEvery: 1,
      keepCheckpoints: 50,
      optimizer: {
        groups: [
          { parameters: "layers.1.*", learningRateScale: 0, weightDecay: 0 },
          { parameters: "layers.*", learningRateScale: 2 },
        ],
      },
    });
    await run.train();
    const [first, last] = [1, 12].map((step) => weightsOf(run.checkpoint(step)));
    let frozen = 0;
    for (const [name, data] of last) {
      const isFrozen = name.startsWith("model.layers.1.");
      expect(Buffer.from(data.buffer).equals(Buffer.from(first.get(name)!.buffer)), name).toBe(isFrozen);
      frozen += Number(isFrozen);
    }
    expect(frozen).toBeGreaterThan(5);
  });
});

describe("the average of the weights", () => {
  it("is decay · average + (1 − decay) · weights of every step", async () => {
    const run = tiny({ checkpointEvery: 1, keepCheckpoints: 50, weightAverageDecay: 0.8 });
    await run.train();
    let before: Map<string, Float32Array> | undefined;
    for (const name of checkpointNames(run.folder)) {
      const folder = run.checkpoint(Number(name.slice(5)));
      const [weights, average] = [weightsOf(folder), weightsOf(`${folder}/ema`)];
      for (const [tensor, data] of average) {
        const old = before?.get(tensor);
        if (old === undefined) continue;
        data.forEach((value, index) => {
          const expected = 0.8 * old[index] + 0.2 * weights.get(tensor)![index];
          expect(Math.abs(value - expected)).toBeLessThan(1e-6);
        });
      }
      before = average;
    }
    expect(readdirSync(`${run.checkpoint(12)}/ema`)).toEqual(expect.arrayContaining(["config.json", "README.md"]));
    const validation = run.records.find((one) => one.kind === "validation");
    expect(validation).toMatchObject({ averagedLoss: expect.any(Number) });
    expect(validation?.averagedLoss).not.toBe(validation?.loss);
  });
});

it.each(["adamw", "muon"])("a run with every schedule resumes with the same bits (%s)", async (kind) => {
  const training = {
    optimizer: { kind, groups: [{ parameters: "embedding", learningRateScale: 0.5, weightDecay: 0.01 }] },
    weightAverageDecay: 0.9,
    zLoss: 1e-3,
    batchWarmup: { startSequences: 4, incrementSequences: 4, steps: 7 },
    lengthWarmup: { startLength: 4, steps: 8 },
  };
  const whole = tiny(training);
  await whole.train();
  const run = tiny(training);
  for (const stop of [2, 6]) {
    let asked = 0;
    await run.train({ resume: stop > 2, loop: { shouldStop: () => asked++ >= stop } }).catch(() => {});
  }
  await run.train({ resume: true });
  expect(run.curve()).toEqual(whole.curve());
  for (const name of ["model.safetensors", "ema/model.safetensors", "training-state/optimizer.safetensors"]) {
    expect(run.file(12, name).equals(whole.file(12, name)), name).toBe(true);
  }
});

describe("early stop", () => {
  it.each([
    [[3, 2, 1], false],
    [[3, 3, 3], true],
    [[3, 2, 2.5, 2.2], true],
    [[3, 2, 2.5, 1.9], false],
    [[3], false],
  ])("after the losses %j with patience 2: %s", (losses, stops) => {
    expect(hasStoppedImproving(losses, { patience: 2, minimumImprovement: 0.05 })).toBe(stops);
  });

  it("saves, tells, and a resumed run does not go on", async () => {
    const run = tiny({ validateEvery: 2, earlyStop: { patience: 2, minimumImprovement: 5 } });
    const path = await run.train();
    // The first validation is the best; two more without improvement end it.
    expect(path).toBe(run.checkpoint(6));
    expect(run.records.at(-1)).toMatchObject({ kind: "checkpoint", step: 6 });
    expect(run.records).toContainEqual(expect.objectContaining({ kind: "early-stop", step: 6 }));
    const before = run.curve();
    expect(await run.train({ resume: true })).toBe(path);
    expect(run.curve()).toEqual(before);
  });
});
