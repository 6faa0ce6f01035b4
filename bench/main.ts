/** `npm run bench -- <name> [--repetitions N] [--json]`: one JSON line, or a line for people. */
import { parseArgs } from "node:util";
import { trainStep } from "./train-step.ts";

/** What every benchmark prints. No peer is run in this version: `peer` and `ratio` are null. */
export interface BenchmarkLine {
  readonly name: string;
  readonly config: string;
  readonly unit: string;
  readonly tilth: { readonly median: number; readonly min: number };
  readonly peer: null;
  readonly ratio: null;
  readonly tokensPerSecond: number;
  readonly shareOfPeak: number;
  /** Share of the time that is spent outside native kernels. */
  readonly typescriptShare: number;
  readonly peakRssBytes: number;
}

const benchmarks: Readonly<Record<string, (repetitions: number) => Promise<BenchmarkLine>>> = {
  "train-step": trainStep,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean" }, repetitions: { type: "string", default: "20" } },
});
const benchmark = benchmarks[positionals[0] ?? ""];
if (benchmark === undefined) {
  process.stderr.write(`tilth bench: which benchmark? One of: ${Object.keys(benchmarks).join(", ")}\n`);
  process.exitCode = 2;
} else {
  const line = await benchmark(Math.max(1, Number(values.repetitions) || 20));
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(line)}\n`
      : `${line.name}: ${line.config}: ${line.tokensPerSecond.toFixed(0)} tokens/s, ${percent(line.shareOfPeak)} of the measured peak, TypeScript ${percent(line.typescriptShare)}\n`,
  );
}
