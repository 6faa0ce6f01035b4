/** How the quickstart's step scales from one MPI rank to two, a thread each: efficiency = seconds alone / (2 · seconds of two). */
import { requireMpi } from "../src/cluster/index.ts";
import { quantile } from "../src/foundation/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { asRank, measureRanks } from "./rank-program.ts";

const rounds = 3;

/** One and two ranks in turns; the same global batch. */
export async function ranksBenchmark(options: BenchmarkOptions): Promise<BenchmarkLine> {
  if (options.arguments[0] === "rank") return asRank(options);
  requireMpi();
  const seconds: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 0; round < rounds; round++)
    for (const ranks of [1, 2] as const)
      seconds[ranks].push(measureRanks("ranks", ranks, ["step", "8"], options).seconds);
  const efficiencies = seconds[1].map((alone, round) => alone / (2 * seconds[2][round]));
  return lineOf(
    { tilth: { median: quantile(efficiencies, 0.5), min: Math.min(...efficiencies) }, peer: null },
    {
      name: "ranks",
      config: `quickstart, 16 × 256, ${options.precision}, 1 and 2 ranks of 1 thread`,
      unit: "scaling efficiency",
      peerName: "none",
      shareOfPeak: null,
    },
    { stepSecondsOfOne: quantile(seconds[1], 0.5), stepSecondsOfTwo: quantile(seconds[2], 0.5) },
  );
}
