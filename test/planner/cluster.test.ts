import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { measureRankJob } from "../../src/jobs/index.ts";
import { llama } from "../../src/models/index.ts";
import { type ClusterLayout, canShare, forecastCluster, type RankFigures } from "../../src/planner/index.ts";

const figures: RankFigures = {
  ...{ parameters: 100_000_000, threads: 8, sequenceLength: 1024, batchSequences: 64, microBatchSequences: 4 },
  ...{ microBatchSeconds: 2, updateSeconds: 0.5, memoryBytes: 5e9, optimizerBytes: 8e8 },
  ...{ checkpointBytes: 1.2e9, checkpointPauseSeconds: 0.4, checkpointWriteSeconds: 3 },
};
const layout: ClusterLayout = {
  ...{ nodes: 4, ranksPerNode: 1, coresPerNode: 8, reduction: "f32", bucketBytes: 4e6, overlaps: true },
  ...{ shardOptimizerState: false, checkpointEvery: 100 },
  network: { bandwidthBytesPerSecond: 1e9, latencySeconds: 1e-5 },
};

describe("forecastCluster", () => {
  it("is the measured step for one rank", () => {
    const alone = forecastCluster(figures, { ...layout, nodes: 1 });
    expect(alone.stepSeconds).toBeCloseTo(16 * 2 + 0.5, 12);
    expect(alone).toMatchObject({ communicationSeconds: 0, exposedShare: 0, efficiency: 1, memoryBytes: 5e9 });
    expect(alone.tokensPerSecond).toBeCloseTo((64 * 1024) / 32.5, 6);
    expect(alone.checkpointShare).toBeCloseTo(0.4 / (3250 + 0.4), 9);
  });

  it("sums by rings in buckets, of which the backward pass hides all but the last", () => {
    const four = forecastCluster(figures, layout);
    // 400 MB in 100 buckets, 6 messages each of a quarter of 4 MB.
    const bucket = 6 * (1e6 / 1e9 + 1e-5);
    expect(four.communicationSeconds).toBeCloseTo(100 * bucket, 9);
    expect(four.exposedSeconds).toBeCloseTo(bucket, 9);
    expect(four.stepSeconds).toBeCloseTo(4 * 2 + 0.5 + bucket, 9);
    const slow = forecastCluster(figures, { ...layout, network: { ...layout.network, bandwidthBytesPerSecond: 1e8 } });
    expect(slow.exposedSeconds).toBeCloseTo(100 * 6 * (1e6 / 1e8 + 1e-5) - (2 / 3) * 2, 9);
    expect(forecastCluster(figures, { ...layout, overlaps: false }).exposedSeconds).toBeCloseTo(100 * bucket, 9);
  });

  it("halves the traffic in bf16", () => {
    const network = { bandwidthBytesPerSecond: 1e8, latencySeconds: 0 };
    const [whole, half] = (["f32", "bf16"] as const).map((reduction) =>
      forecastCluster(figures, { ...layout, reduction, network }),
    );
    expect(half.communicationSeconds).toBeCloseTo(whole.communicationSeconds / 2, 9);
  });

  it("with ZeRO-1 shares update and optimizer state, and sends the weights", () => {
    const [whole, shared] = [false, true].map((shardOptimizerState) =>
      forecastCluster(figures, { ...layout, shardOptimizerState }),
    );
    expect(shared.memoryBytes).toBe(5e9 - 0.75 * 8e8);
    expect(shared.firstRankMemoryBytes).toBe(shared.memoryBytes + 1.2e9);
    expect(shared.computeSeconds).toBeCloseTo(whole.computeSeconds - 0.75 * 0.5, 9);
    expect(shared.communicationSeconds - whole.communicationSeconds).toBeCloseTo(0.4 + 4e-5, 9);
  });

  it("lets ranks take turns where threads outnumber cores", () => {
    const [fitting, crowded] = [32, 8].map((coresPerNode) =>
      forecastCluster(figures, { ...layout, nodes: 1, ranksPerNode: 4, coresPerNode }),
    );
    expect(crowded.threadsPerCore).toBe(4);
    expect(crowded.computeSeconds).toBeCloseTo(4 * fitting.computeSeconds, 9);
    expect(crowded.exposedSeconds).toBe(crowded.communicationSeconds);
  });

  it("knows how many ranks can share a batch", () => {
    expect([1, 2, 3, 16, 32].map((ranks) => canShare(figures, ranks))).toEqual([true, true, false, true, false]);
  });
});

describe("tilth plan --cluster", () => {
  const folder = mkdtempSync(join(tmpdir(), "tilth-plan-cluster-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const configuration = {
    runFolder: "run",
    model: { width: 32, layers: 1, attentionHeads: 2 },
    corpus: { sources: [{ reader: "folder", path: ".", licence: "Apache-2.0" }] },
    training: { steps: 100, sequenceLength: 64, batchSequences: 64, microBatchSequences: 4 },
  };
  writeFileSync(join(folder, "tilth.config.json"), JSON.stringify(configuration));
  writeFileSync(join(folder, "figures.json"), JSON.stringify({ measured: { device: "a node", ...figures } }));
  const plan = (...parameters: string[]) =>
    spawnSync(process.execPath, [join(process.cwd(), "dist", "cli.js"), "plan", "--cluster", ...parameters], {
      cwd: folder,
      encoding: "utf8",
    });

  it("prints a table, and says which numbers of nodes cannot share the batch", () => {
    const { status, stdout, stderr } = plan(
      "--figures",
      "figures.json",
      "--nodes",
      "12",
      "--bandwidth",
      "8",
      "--latency",
      "10",
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/Measured: 100M parameters, 8 threads \(a node\)/);
    expect(stdout).toMatch(/^ +4 +4 +8\.5\d s .* 5\.00GB +6\.20GB$/m);
    expect(stderr).toMatch(/Left out: 12 nodes, whose ranks cannot share the 16 micro-batches/);
  });

  it("prints the same as JSON, which other machines can plan from", () => {
    const { status, stdout, stderr } = plan(
      "--figures",
      "figures.json",
      "--nodes",
      "4",
      "--bandwidth",
      "8",
      "--latency",
      "10",
      "--json",
    );
    expect(status, stderr).toBe(0);
    const { measured, forecasts } = JSON.parse(stdout);
    expect(measured).toMatchObject(figures);
    expect(forecasts.map(({ ranks }: { ranks: number }) => ranks)).toEqual([1, 2, 4]);
    expect(forecasts[2].efficiency).toBeGreaterThan(0.9);
  });

  it("measures a rank: passes, update and a checkpoint that it removes again", async () => {
    const measured = await measureRankJob.run(
      {
        device: { backend: "auto", threads: 1 },
        model: {
          architecture: "llama",
          configuration: llama.schema.parse({ ...configuration.model, vocabularySize: 300, context: 64 }),
        },
        ...{
          training: configuration.training,
          objective: { kind: "next-token" },
          folder: join(folder, "measured"),
          seconds: 0,
        },
      },
      { emit: () => {}, shouldStop: () => false },
    );
    expect(measured.microBatchSeconds).toBeGreaterThan(0);
    expect(measured.updateSeconds).toBeGreaterThanOrEqual(0);
    // AdamW's two moments; a checkpoint holds weights and moments in f32.
    expect(measured.optimizerBytes).toBeGreaterThanOrEqual(8 * measured.parameters);
    expect(measured.optimizerBytes).toBeLessThan(9 * measured.parameters + 10_000);
    expect(measured.checkpointBytes).toBeGreaterThanOrEqual(12 * measured.parameters);
    expect(readdirSync(join(folder, "measured"))).toEqual([]);
  });
});
