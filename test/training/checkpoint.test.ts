/** Checkpoints of a running training: complete, written beside the steps, kept by policy, never half. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { readSafetensorsFolder } from "../../src/formats/index.ts";
import {
  checkpointNames,
  latestCheckpoint,
  retained,
  SnapshotMemory,
  type Trainer,
  takeSnapshot,
  verifyCheckpoint,
  writeSnapshot,
} from "../../src/training/index.ts";
import { TinyRun } from "../support/tiny-run.ts";

const runs: TinyRun[] = [];
const tiny = (training?: Readonly<Record<string, unknown>>) => {
  runs.push(new TinyRun(training));
  return runs[runs.length - 1];
};
afterEach(() => {
  for (const run of runs.splice(0)) run.remove();
});

const flip = (file: string, byte: number) => {
  const bytes = readFileSync(file);
  bytes[byte] ^= 4;
  writeFileSync(file, bytes);
};

describe("checkpoints", () => {
  it("written while steps go on hold the same bits as one written while they wait", async () => {
    const run = tiny({ checkpointEvery: 1, keepCheckpoints: 50, weightAverageDecay: 0.9 });
    const synchronous = tiny({ checkpointEvery: 100, keepCheckpoints: 50, weightAverageDecay: 0.9 });
    await run.train();
    let at = -1;
    await synchronous.train({
      change: (trainer: Trainer) => {
        const apply = trainer.applyGradients.bind(trainer);
        trainer.applyGradients = async () => {
          const result = await apply();
          at = trainer.step;
          const state = { step: at, skippedBatches: 0, recentLosses: [], validation: null, configurationHash: "" };
          const policy = { keepCheckpoints: 50, keepBestCheckpoints: 0 };
          const rest = { runFolder: synchronous.folder, files: {}, before: [], retention: policy, shardBytes: 1e9 };
          const snapshot = await takeSnapshot(trainer, { ...rest, state }, new SnapshotMemory());
          await writeSnapshot(snapshot!);
          return result;
        };
      },
    });
    expect(at).toBe(12);
    // One that was due while another was written waits for it: none is left out.
    expect(checkpointNames(run.folder)).toHaveLength(12);
    for (let step = 1; step <= 12; step++) {
      for (const name of ["model.safetensors", "training-state/optimizer.safetensors", "ema/model.safetensors"]) {
        expect(run.file(step, name).equals(synchronous.file(step, name)), `${name} of step ${step}`).toBe(true);
      }
    }
  });

  it("are whole in every state that a reader can meet, and a later one does not change an earlier", async () => {
    const run = tiny({ checkpointEvery: 2, keepCheckpoints: 50 });
    await run.train();
    for (const name of checkpointNames(run.folder)) await verifyCheckpoint(join(run.folder, "checkpoints", name));
    expect(readdirSync(join(run.folder, "checkpoints")).filter((name) => name.startsWith("."))).toEqual([]);
    const [first, last] = [run.file(2, "model.safetensors"), run.file(12, "model.safetensors")];
    expect(first.equals(last)).toBe(false);
  });

  it("are split into shards beyond a size, with an index, and resume from there", async () => {
    const whole = tiny();
    await whole.train();
    const sharded = tiny({ checkpointShardBytes: 4096 });
    await sharded.train({ loop: { shouldStop: stopAfter(6) } }).catch(() => {});
    const path = sharded.checkpoint(6);
    const shards = readdirSync(path).filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name));
    expect(shards.length).toBeGreaterThan(2);
    for (const shard of shards) expect(statSync(join(path, shard)).size).toBeLessThan(8192);
    expect(readdirSync(join(path, "training-state")).filter((name) => name.startsWith("optimizer-")).length).toBe(2);
    const weights = readSafetensorsFolder(path);
    expect(weights.names).toContain("model.embed_tokens.weight");
    weights.close();
    await sharded.train({ resume: true });
    expect(sharded.curve()).toEqual(whole.curve());
  });

  it("resume on another number of threads and another micro-batch with the same curve to rounding", async () => {
    const whole = tiny();
    await whole.train();
    for (const other of [
      { threads: 3 },
      { overrides: { microBatchSequences: 2 } },
      { overrides: { microBatchSequences: 8 } },
    ]) {
      const run = tiny();
      await run.train({ loop: { shouldStop: stopAfter(6) } }).catch(() => {});
      await run.train({ resume: true, ...other });
      const [ours, theirs] = [run.curve(), whole.curve()];
      expect(ours.map(([kind, step]) => [kind, step])).toEqual(theirs.map(([kind, step]) => [kind, step]));
      ours.forEach(([, , loss], index) => void expect(Math.abs(loss / theirs[index][2] - 1)).toBeLessThan(1e-4));
    }
  });

  it("refuse to resume what would be another run", async () => {
    const run = tiny();
    await run.train({ loop: { shouldStop: stopAfter(6) } }).catch(() => {});
    await expect(run.train({ resume: true, overrides: { learningRate: 0.5 } })).rejects.toThrow(
      /another configuration/,
    );
  });

  it("that are damaged are told, and the one before is taken", async () => {
    const whole = tiny();
    await whole.train();
    const run = tiny();
    await run.train();
    const file = join(run.checkpoint(12), "training-state", "optimizer.safetensors");
    flip(file, statSync(file).size - 5);
    expect(await latestCheckpoint(run.folder, () => {})).toBe(run.checkpoint(9));
    await run.train({ resume: true });
    expect(run.warnings.join()).toMatch(
      /step-0000012 is damaged: training-state\/optimizer.safetensors has checksum .*; taking the one before it/,
    );
    expect(run.curve()).toEqual(whole.curve());
    expect(run.file(12, "model.safetensors").equals(whole.file(12, "model.safetensors"))).toBe(true);
  });

  it("of which a shard is missing or short are damaged too; where all are, nothing is begun anew silently", async () => {
    const run = tiny({ checkpointShardBytes: 4096 });
    await run.train();
    rmSync(join(run.checkpoint(12), readdirSync(run.checkpoint(12)).find((name) => name.startsWith("model-00002"))!));
    const shard = readdirSync(run.checkpoint(9)).find((name) => name.startsWith("model-00001"))!;
    truncateSync(join(run.checkpoint(9), shard), 100);
    await expect(run.train({ resume: true })).rejects.toThrow(/all 2 checkpoints .* are damaged/);
    expect(run.warnings.filter((one) => one.includes("is damaged"))).toHaveLength(2);
  });
});

describe("retention", () => {
  const losses = [3, 2, 1, 2, 3, 4, 5, 6];
  const found = losses.map((validationLoss, index) => ({ step: (index + 1) * 10, validationLoss }));
  it.each([
    [{ keepCheckpoints: 2, keepBestCheckpoints: 0 }, [70, 80]],
    [{ keepCheckpoints: 1, keepBestCheckpoints: 2 }, [30, 40, 80]],
    [{ keepCheckpoints: 1, keepBestCheckpoints: 0, keepCheckpointsEvery: 30 }, [30, 60, 80]],
  ])("%j keeps steps %j", (policy, steps) => {
    expect([...retained(found, policy)].sort((a, b) => a - b)).toEqual(steps);
  });

  it("is applied as a run goes on, and the best stays", async () => {
    const run = tiny({
      checkpointEvery: 1,
      validateEvery: 1,
      keepCheckpoints: 1,
      keepCheckpointsEvery: 5,
      keepBestCheckpoints: 1,
    });
    await run.train();
    const losses = run.curve().filter(([kind]) => kind === "validation");
    const best = losses.reduce((a, b) => (b[2] < a[2] ? b : a))[1];
    const steps = [...new Set([5, 10, 12, best])].sort((a, b) => a - b);
    expect(checkpointNames(run.folder).map((name) => Number(name.slice(5)))).toEqual(steps);
  });
});

it("a run without a checkpoint says so when it is resumed and starts again", async () => {
  const run = tiny();
  await run.train({ resume: true });
  expect(run.warnings.join()).toMatch(/no checkpoint in .*: starting from step 0/);
  expect(existsSync(run.checkpoint(12))).toBe(true);
});

/** Asks the run to stop once it has taken that many steps. */
function stopAfter(steps: number): () => boolean {
  let asked = 0;
  return () => asked++ >= steps;
}
