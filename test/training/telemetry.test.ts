/** What other programs read of a run: TensorBoard's event files and Prometheus' page. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openTelemetry, type RunRecord, TensorBoardWriter, telemetryConfiguration } from "../../src/training/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-telemetry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const step = (number: number): RunRecord => ({
  ...{ kind: "step", step: number, loss: 4 / number, learningRate: 1e-3, gradientNorm: 0.5, tokens: 4096 },
  ...{ tokensPerSecond: 1000, mfu: 0.5, hostShare: null, dataShare: 0.01 },
});
const records: RunRecord[] = [
  step(1),
  step(300),
  { kind: "validation", step: 300, loss: 2.5, averagedLoss: 2.25 },
  { kind: "checkpoint", step: 300, path: "x", pauseSeconds: 0.01, writeSeconds: 0.2 },
  { kind: "guard", step: 300, batch: 301, action: "skip", reason: "a spike" },
];

describe("TensorBoard's event files", () => {
  it("begin with the record that every event file begins with, its checksums those of TFRecord", () => {
    const writer = new TensorBoardWriter(join(folder, "first"), 1_700_000_000_000);
    writer.close();
    const bytes = readFileSync(writer.path);
    // As in every event file of TensorFlow: length 24, its masked CRC-32C, the event, its own.
    expect(bytes.subarray(0, 12).toString("hex")).toBe("1800000000000000a37f4b22");
    expect(bytes.subarray(12, 36).toString("latin1")).toContain("brain.Event:2");
    expect(bytes).toHaveLength(40);
  });

  const python = process.env.TILTH_PYTHON;
  it.skipIf(python === undefined)(
    "are read by TensorBoard itself (skipped without TILTH_PYTHON with tensorboard)",
    async () => {
      const telemetry = await openTelemetry(telemetryConfiguration.parse({ tensorboard: true }), folder, () => {});
      for (const record of records) telemetry.update(record);
      await telemetry.close();
      const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]); events.Reload()
print(json.dumps({tag: [[one.step, one.value] for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))`;
      const read = spawnSync(python!, ["-c", script, join(folder, "tensorboard")], { encoding: "utf8" });
      expect(read.status, read.stderr).toBe(0);
      const scalars = JSON.parse(read.stdout);
      expect(scalars["train/loss"][0]).toEqual([1, 4]);
      expect(scalars["train/loss"][1][0]).toBe(300);
      expect(scalars["train/loss"][1][1]).toBeCloseTo(4 / 300, 6);
      expect(scalars["validation/averaged_loss"]).toEqual([[300, 2.25]]);
      expect(readdirSync(join(folder, "tensorboard"))).toHaveLength(1);
    },
  );
});

describe("Prometheus' page", () => {
  it("holds the last figures and the totals, in its text format, on the loopback address", async () => {
    let told = "";
    const telemetry = await openTelemetry(telemetryConfiguration.parse({ prometheusPort: 0 }), 'a"b', (message) => {
      told = message;
    });
    for (const record of records) telemetry.update(record);
    const address = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(told)![0];
    const response = await fetch(address);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const page = await response.text();
    for (const line of [
      "# TYPE tilth_tokens_total counter",
      'tilth_tokens_total{run="a\\"b"} 8192',
      'tilth_guard_events_total{run="a\\"b"} 1',
      'tilth_step{run="a\\"b"} 300',
      "# TYPE tilth_validation_loss gauge",
      'tilth_validation_loss{run="a\\"b"} 2.5',
      'tilth_checkpoint_write_seconds{run="a\\"b"} 0.2',
    ]) {
      expect(page.split("\n")).toContain(line);
    }
    // Every line is a comment or a sample.
    for (const line of page.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+\{run="a\\"b"\} -?[\d.e+-]+)$/);
    expect((await fetch(address.replace("metrics", "other"))).status).toBe(404);
    await telemetry.close();
  });

  it("says which port is taken", async () => {
    let told = "";
    const first = await openTelemetry(telemetryConfiguration.parse({ prometheusPort: 0 }), "a", (message) => {
      told = message;
    });
    const prometheusPort = Number(/:(\d+)\/metrics/.exec(told)![1]);
    await expect(openTelemetry(telemetryConfiguration.parse({ prometheusPort }), "b", () => {})).rejects.toThrow(
      new RegExp(`on port ${prometheusPort}`),
    );
    await first.close();
  });
});
