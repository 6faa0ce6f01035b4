/** `npm run bench -- <name> [options]`: Tilth beside its peer; one line for people, or one JSON line. */
import { parseArgs } from "node:util";
import { messageOf, noSuch, TilthError, UsageError } from "../src/foundation/index.ts";
import { bertStep } from "./bert-step.ts";
import { checkpointCost } from "./checkpoint.ts";
import { clipStep } from "./clip-step.ts";
import { clusterBenchmark } from "./cluster.ts";
import type { BenchmarkLine } from "./compare.ts";
import { curate } from "./curate.ts";
import { elementwise } from "./elementwise.ts";
import { evaluate } from "./evaluate.ts";
import { forecastBenchmark } from "./forecast.ts";
import { generate } from "./generate.ts";
import { kernelBenchmark, kernelNames } from "./kernels.ts";
import { ranksBenchmark } from "./ranks.ts";
import { serveBenchmark } from "./serve.ts";
import { tokenizerBenchmark } from "./tokenizer.ts";
import { trainStep } from "./train-step.ts";

/** What every benchmark is told. */
export interface BenchmarkOptions {
  readonly preset: string | undefined;
  readonly precision: "auto" | "f32" | "bf16";
  /** Whether the peer runs too. */
  readonly peer: boolean;
  /** Only settings of the peer run whose name holds this, e.g. "torch.compile"; all of them where it is left out. */
  readonly setting?: string;
  readonly repetitions: number;
  /** What follows the benchmark's name. */
  readonly arguments: readonly string[];
  /** Whether memory is measured over growing inputs, where a benchmark can. */
  readonly memory: boolean;
  readonly warn: (message: string) => void;
}

/** One file each, one line here. */
const benchmarks: Readonly<Record<string, (options: BenchmarkOptions) => Promise<BenchmarkLine>>> = {
  "train-step": trainStep,
  "bert-step": bertStep,
  "clip-step": clipStep,
  tokenizer: tokenizerBenchmark,
  curate,
  checkpoint: checkpointCost,
  ranks: ranksBenchmark,
  cluster: clusterBenchmark,
  elementwise,
  eval: evaluate,
  generate,
  serve: serveBenchmark,
  forecast: forecastBenchmark,
  ...Object.fromEntries(
    kernelNames.map((name) => [name, (options: BenchmarkOptions) => kernelBenchmark(name, options)]),
  ),
};

const usage =
  "npm run bench -- <name> [--preset P] [--precision auto|f32|bf16] [--peer [--setting S]] [--repetitions N] [--memory] [--json]; the peer's Python is $TILTH_PYTHON";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      peer: { type: "boolean", default: false },
      memory: { type: "boolean", default: false },
      preset: { type: "string" },
      setting: { type: "string" },
      precision: { type: "string", default: "auto" },
      repetitions: { type: "string", default: "10" },
    },
  });
  const [name = "", ...rest] = positionals;
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  if (benchmark === undefined) {
    throw new UsageError(noSuch("benchmark", name, Object.keys(benchmarks)), {
      remedy: `Benchmarks: ${Object.keys(benchmarks).join(", ")}. Usage: ${usage}`,
    });
  }
  const { precision } = values;
  if (precision !== "auto" && precision !== "f32" && precision !== "bf16") {
    throw new UsageError(`--precision is "${precision}", expected auto, f32 or bf16`);
  }
  const repetitions = Number(values.repetitions);
  if (!Number.isInteger(repetitions) || repetitions < 1) {
    throw new UsageError(`--repetitions is "${values.repetitions}", expected a whole number from 1`);
  }
  const warn = (message: string) => process.stderr.write(`tilth bench: ${message}\n`);
  const { preset, peer, setting, memory } = values;
  const line = await benchmark({ preset, precision, peer, setting, memory, repetitions, arguments: rest, warn });
  process.stdout.write(values.json ? `${JSON.stringify(line)}\n` : `${describe(line)}\n`);
}

function describe(line: BenchmarkLine): string {
  const share = line.shareOfPeak === null ? "" : `, ${(line.shareOfPeak * 100).toFixed(1)} % of the measured peak`;
  const beside =
    line.peer === null || line.ratio === null
      ? "no peer was run"
      : `${line.peer.name} (${line.peer.version}, ${line.peer.setting}) ${line.peer.median.toPrecision(4)}: Tilth is ${line.ratio.toFixed(2)} times as fast`;
  return `${line.name}: ${line.config}: ${line.tilth.median.toPrecision(4)} ${line.unit}${share}; ${beside}`;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`tilth bench: ${messageOf(error)}\n`);
  if (error instanceof TilthError && error.remedy) process.stderr.write(`  ${error.remedy}\n`);
  process.exitCode = error instanceof TilthError ? error.exitCode : 1;
}
