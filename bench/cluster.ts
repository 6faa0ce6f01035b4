/**
 * The forecast of `tilth plan --cluster` beside what 1, 2 and 4 ranks of a thread each take on this machine, with and without a
 * shared optimizer state. The network is the machine's own memory: its rate and latency come from sums of two sizes.
 */
import { tmpdir } from "node:os";
import { requireMpi } from "../src/cluster/index.ts";
import { quantile } from "../src/foundation/index.ts";
import { measureRankJob } from "../src/jobs/index.ts";
import { forecastCluster } from "../src/planner/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { asRank, measureRanks, quickstartModel, quickstartTraining } from "./rank-program.ts";

const [rounds, microBatch] = [3, 4];
const [largeBytes, smallBytes] = [4 << 20, 1 << 10];
/** More ranks than this machine has cores are timed too: they take turns. */
const coresPerNode = 2;

/** `value` is the largest difference between forecast and measured step, as a share of the measured one. */
export async function clusterBenchmark(options: BenchmarkOptions): Promise<BenchmarkLine> {
  if (options.arguments[0] === "rank") return asRank(options);
  requireMpi();
  const training = quickstartTraining(microBatch);
  const figures = await measureRankJob.run(
    {
      device: { backend: "cpu", threads: 1, precision: options.precision },
      model: { architecture: "llama", configuration: quickstartModel() },
      ...{ training, objective: { kind: "next-token" }, folder: tmpdir(), seconds: 8 },
    },
    { emit: ({ warning }) => options.warn(warning), shouldStop: () => false },
  );
  const settings = [1, 2, 4].flatMap((ranks) =>
    ranks === 1
      ? [{ ranks, zero: false }]
      : [
          { ranks, zero: false },
          { ranks, zero: true },
        ],
  );
  const seen = settings.map((): { seconds: number[]; memoryBytes: number[] } => ({ seconds: [], memoryBytes: [] }));
  const [large, small]: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    large.push(measureRanks("cluster", 2, ["sum", String(largeBytes)], options).seconds);
    small.push(measureRanks("cluster", 2, ["sum", String(smallBytes)], options).seconds);
    settings.forEach(({ ranks, zero }, index) => {
      const one = measureRanks("cluster", ranks, ["step", String(microBatch), ...(zero ? ["zero"] : [])], options);
      seen[index].seconds.push(one.seconds);
      seen[index].memoryBytes.push(one.memoryBytes);
    });
  }
  // Two ranks send half of the bytes twice.
  const latencySeconds = quantile(small, 0.5) / 2;
  const bandwidthBytesPerSecond = largeBytes / Math.max(1e-9, quantile(large, 0.5) - quantile(small, 0.5));
  const rows = settings.map(({ ranks, zero }, index) => {
    const forecast = forecastCluster(figures, {
      ...training.parallel,
      ...{ nodes: 1, ranksPerNode: ranks, coresPerNode, network: { bandwidthBytesPerSecond, latencySeconds } },
      ...{ shardOptimizerState: zero, overlaps: true, checkpointEvery: 100 },
    });
    const measured = quantile(seen[index].seconds, 0.5);
    const memoryBytes = quantile(seen[index].memoryBytes, 0.5);
    options.warn(
      `${ranks} rank${ranks === 1 ? "" : "s"}${zero ? ", ZeRO-1" : ""}: forecast ${forecast.stepSeconds.toPrecision(3)} s, measured ${measured.toPrecision(3)} s; memory ${(forecast.memoryBytes / 1e9).toFixed(2)} and ${(memoryBytes / 1e9).toFixed(2)} GB`,
    );
    return {
      ranks,
      zero,
      forecastSeconds: forecast.stepSeconds,
      seconds: measured,
      forecastBytes: forecast.memoryBytes,
      memoryBytes,
    };
  });
  const errors = rows.map(({ forecastSeconds, seconds }) => Math.abs(forecastSeconds / seconds - 1));
  return lineOf(
    { tilth: { median: Math.max(...errors), min: Math.min(...errors) }, peer: null },
    {
      name: "cluster",
      config: `quickstart, 16 × 256, ${options.precision}, 1, 2 and 4 ranks of 1 thread on ${coresPerNode} cores`,
      unit: "largest difference between forecast and measured step",
      peerName: "none",
      shareOfPeak: null,
    },
    { figures, bandwidthBytesPerSecond, latencySeconds, rows },
  );
}
