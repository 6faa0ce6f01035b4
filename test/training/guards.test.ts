/** What a run does when a step goes wrong, and what it leaves for people. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { FlightRecorder, putAsideFlightRecorder } from "../../src/training/flight-recorder.ts";
import { LossGuard } from "../../src/training/guard.ts";
import {
  flightRecorderFile,
  readFlightRecorder,
  readState,
  type Trainer,
  trainingConfiguration,
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

/** Makes the loss of one batch (from 1) NaN. */
const spoil = (batch: number) => (trainer: Trainer) => {
  const compute = trainer.computeGradients.bind(trainer);
  trainer.computeGradients = async (stream) => {
    const number = trainer.step + 1 + trainer.skippedBatches;
    const result = await compute(stream);
    return number === batch ? { ...result, loss: Number.NaN } : result;
  };
};

/** Leaves out `count` batches once `step` steps are taken. */
const leaveOut = (step: number, count: number) => (trainer: Trainer) => {
  const compute = trainer.computeGradients.bind(trainer);
  trainer.computeGradients = (stream) => {
    trainer.skippedBatches = trainer.step >= step ? count : 0;
    return compute(stream);
  };
};

describe("a loss that is no number", () => {
  it("skip: leaves the batch out and goes on as if it had never been there", async () => {
    const run = tiny({ guards: { nonFinite: "skip" } });
    await run.train({ change: spoil(5) });
    const without = tiny();
    await without.train({ change: leaveOut(4, 1) });
    expect(run.curve()).toEqual(without.curve());
    expect(run.file(12, "model.safetensors").equals(without.file(12, "model.safetensors"))).toBe(true);
    expect(run.records.find(({ kind }) => kind === "guard")).toMatchObject({ step: 4, batch: 5, action: "skip" });
    expect(readState(run.checkpoint(12)).skippedBatches).toBe(1);
  });

  it("a run that is resumed remembers what it left out", async () => {
    const whole = tiny({ guards: { nonFinite: "skip" } });
    await whole.train({ change: spoil(5) });
    const run = tiny({ guards: { nonFinite: "skip" } });
    let asked = 0;
    await run.train({ change: spoil(5), loop: { shouldStop: () => asked++ >= 9 } }).catch(() => {});
    await run.train({ resume: true });
    expect(run.curve()).toEqual(whole.curve());
  });

  it("rewind: goes back to the last checkpoint and on with the batch after", async () => {
    const run = tiny({ guards: { nonFinite: "rewind" } });
    await run.train({ change: spoil(8) });
    const without = tiny();
    await without.train({ change: leaveOut(6, 2) });
    expect(run.curve()).toEqual(without.curve());
    expect(run.warnings.join()).toMatch(/step 8, batch 8: the loss is NaN .*back to step 6/);
  });

  it("stop: ends the run with what to do, the weights untouched, and leaves the flight recorder", async () => {
    const run = tiny();
    await expect(run.train({ change: spoil(8) })).rejects.toThrow(/step 8, batch 8: the loss is NaN .*diverged/);
    const events = readFlightRecorder(flightRecorderFile(run.folder));
    expect(events.at(-1)).toMatchObject({ step: 7, phase: "end", message: expect.stringContaining("NaN") });
    expect(events.filter(({ phase }) => phase === "log")).toHaveLength(7);
    await run.train({ resume: true });
    expect(run.warnings.join()).toMatch(/the last process of this run ended in step 7, phase "end"/);
    expect(existsSync(flightRecorderFile(run.folder))).toBe(false);
    expect(existsSync(join(run.folder, "flight-recorder-before.jsonl"))).toBe(true);
  });

  it("a run that only skips stops in the end", async () => {
    const run = tiny({ guards: { nonFinite: "skip", maximumInterventions: 3 } });
    const always = (trainer: Trainer) => {
      const compute = trainer.computeGradients.bind(trainer);
      trainer.computeGradients = async (stream) => ({
        ...(await compute(stream)),
        gradientNorm: Number.POSITIVE_INFINITY,
      });
    };
    await expect(run.train({ change: always })).rejects.toThrow(/after 3 such steps were left out/);
  });
});

describe("the spike guard", () => {
  const settings = (guards: Readonly<Record<string, unknown>>) =>
    trainingConfiguration.parse({ steps: 1, schedule: { warmupSteps: 0 }, guards }).guards;
  const losses = Array.from({ length: 40 }, (_, index) => 3 + 0.05 * Math.sin(index));

  it("notices a jump, not the usual noise nor a fall", () => {
    const guard = new LossGuard(settings({ lossSpike: "skip", spikeWindow: 32 }));
    for (const loss of losses) expect(guard.judge(loss, 1)).toEqual({ action: "accept" });
    expect(guard.judge(2.2, 1)).toEqual({ action: "accept" });
    expect(guard.judge(3.12, 1)).toEqual({ action: "accept" });
    expect(guard.judge(5, 1)).toMatchObject({ action: "skip", reason: expect.stringMatching(/jumped to 5.000/) });
    expect(guard.recent).toHaveLength(32);
    expect(guard.recent).not.toContain(5);
  });

  it("judges nothing before half of its window, and takes up where a checkpoint left it", () => {
    const guard = new LossGuard(settings({ lossSpike: "stop", spikeWindow: 32 }));
    for (const loss of losses.slice(0, 15)) guard.judge(loss, 1);
    expect(guard.judge(50, 1)).toEqual({ action: "accept" });
    const resumed = new LossGuard(settings({ lossSpike: "stop", spikeWindow: 32 }));
    resumed.restore(losses);
    expect(resumed.judge(50, 1)).toMatchObject({ action: "stop" });
  });
});

describe("telemetry of a step", () => {
  it("holds the update ratio: that of the checkpoints before and after it", async () => {
    const run = tiny({ checkpointEvery: 1, keepCheckpoints: 50, updateRatioEvery: 4 });
    await run.train();
    const steps = run.records.flatMap((one) => (one.kind === "step" ? [one] : []));
    expect(steps.filter(({ updateRatio }) => updateRatio !== undefined).map(({ step }) => step)).toEqual([4, 8, 12]);
    const numbers = (step: number) => {
      const bytes = run.file(step, "model.safetensors");
      const start = 8 + Number(bytes.readBigUInt64LE());
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
    };
    const [before, after] = [numbers(7), numbers(8)];
    const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, one) => sum + one * one, 0));
    const expected = norm(after.map((one, index) => one - before[index])) / norm(before);
    expect(Math.abs(steps[7].updateRatio! / expected - 1)).toBeLessThan(1e-3);
  });

  it("warns where steps mostly wait for data", async () => {
    const run = tiny({ steps: 24, schedule: { warmupSteps: 2 } });
    await run.train({
      change: (trainer) => {
        const draw = trainer.objective.draw.bind(trainer.objective);
        Object.assign(trainer, {
          objective: {
            ...trainer.objective,
            draw: (...parameters: Parameters<typeof draw>) => {
              Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
              return draw(...parameters);
            },
          },
        });
      },
    });
    expect(run.warnings.join()).toMatch(/the last 20 steps spent \d+ % of their time waiting for data/);
    expect(readFileSync(join(run.folder, "log.jsonl"), "utf8")).toMatch(/"dataShare":0\.\d/);
  });
});

describe("the flight recorder", () => {
  it("holds the last events in order, without being closed", () => {
    const run = tiny();
    const recorder = new FlightRecorder(run.folder, 3);
    for (let step = 1; step <= 700; step++) recorder.note(step, "update", { loss: step / 7 });
    const events = readFlightRecorder(flightRecorderFile(run.folder, 3));
    expect(events).toHaveLength(512);
    expect(events.map(({ step }) => step)).toEqual(Array.from({ length: 512 }, (_, index) => 189 + index));
    expect(putAsideFlightRecorder(run.folder, 3)).toMatchObject({ step: 700, phase: "update", loss: 100 });
    recorder.close(false);
  });
});
