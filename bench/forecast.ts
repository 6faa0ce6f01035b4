/** What `tilth train` forecasts of memory and step time beside what it then measures, for five different runs, each in a process of its own. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot, TilthError, writeFileAtomically } from "../src/foundation/index.ts";
import { type BenchmarkLine, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";

interface Case {
  readonly name: string;
  readonly configuration: Readonly<Record<string, unknown>>;
}

const llama = (layers: number, width: number, attentionHeads: number) => ({
  architecture: "llama",
  ...{ layers, width, attentionHeads },
});

/** They differ in model, precision, checkpointing, batch, context, optimizer and objective. */
const cases: readonly Case[] = [
  {
    name: "3M Llama, bf16, 16 × 256, Muon",
    configuration: {
      model: llama(5, 192, 6),
      training: {
        steps: 40,
        sequenceLength: 256,
        batchSequences: 16,
        microBatchSequences: 16,
        optimizer: { kind: "muon" },
      },
    },
  },
  {
    name: "11M Llama, f32, 8 × 256, averaged weights, z-loss",
    configuration: {
      device: { precision: "f32" },
      model: llama(8, 320, 10),
      training: { steps: 20, sequenceLength: 256, batchSequences: 8, weightAverageDecay: 0.999, zLoss: 1e-4 },
    },
  },
  {
    name: "27M Llama, bf16, 4 × 512, activation checkpointing",
    configuration: {
      model: llama(8, 512, 8),
      training: {
        ...{ steps: 12, sequenceLength: 512, batchSequences: 4, microBatchSequences: 4 },
        activationCheckpointing: true,
      },
    },
  },
  {
    name: "12M BERT, bf16, 16 × 128, masked tokens",
    configuration: {
      model: { architecture: "bert", layers: 6, width: 384, attentionHeads: 6 },
      objective: { kind: "masked-token" },
      training: { steps: 20, sequenceLength: 128, batchSequences: 16, microBatchSequences: 16 },
    },
  },
  {
    name: "41M GPT-2, bf16, 4 × 1,024 in micro-batches of 1",
    configuration: {
      model: { architecture: "gpt2", layers: 12, width: 512, attentionHeads: 8 },
      training: { steps: 8, sequenceLength: 1024, batchSequences: 4, microBatchSequences: 1 },
    },
  },
];

interface Figures {
  readonly memoryBytes: number;
  readonly stepSeconds: number;
}

/** One row a run; the line's figure is the largest error of a step's time. */
export async function forecastBenchmark({ warn }: BenchmarkOptions): Promise<BenchmarkLine> {
  const folder = mkdtempSync(join(tmpdir(), "tilth-forecast-"));
  try {
    const rows = cases.map(({ name, configuration }, index) => {
      const { forecast, measured } = trained(join(folder, `run-${index}`), configuration);
      const row = {
        ...{ name, forecast, measured },
        memoryError: forecast.memoryBytes / measured.memoryBytes - 1,
        timeError: forecast.stepSeconds / measured.stepSeconds - 1,
      };
      warn(describe(row));
      return row;
    });
    const errors = rows.map(({ timeError }) => Math.abs(timeError) * 100);
    return lineOf(
      { tilth: { median: Math.max(...errors), min: Math.min(...errors) }, peer: null },
      {
        name: "forecast",
        config: `${rows.length} runs of tilth train, largest error of a step's time`,
        unit: "%",
        peerName: "none",
        shareOfPeak: null,
      },
      { rows, largestMemoryErrorPercent: Math.max(...rows.map(({ memoryError }) => Math.abs(memoryError) * 100)) },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Trains twice: the first run builds corpus and shards, whose memory the second one's process never held. */
function trained(runFolder: string, configuration: Readonly<Record<string, unknown>>) {
  const file = `${runFolder}.json`;
  const training = { ...(configuration.training as object), schedule: { warmupSteps: 1 } };
  const source = { reader: "npm", path: join(packageRoot(), "node_modules", "@types") };
  const run = {
    ...{ runFolder, corpus: { sources: [source] }, tokenizer: { vocabularySize: 4096 } },
    ...{ ...configuration, training },
  };
  writeFileAtomically(file, JSON.stringify(run));
  train(file, ["--set", "training.steps=1"]);
  const lines = train(file, ["--replace"]);
  return { forecast: lineOfKind(lines, "forecast"), measured: lineOfKind(lines, "measured") };
}

function train(file: string, more: readonly string[]): string[] {
  const program = join(packageRoot(), "dist", "cli.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "train", file, "--json", ...more], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new TilthError(`tilth train ${file} ended with ${status}: ${stderr.trim()}`);
  return stdout.split("\n");
}

function lineOfKind(lines: readonly string[], kind: string): Figures {
  const line = lines.find((one) => one.startsWith(`{"kind":"${kind}"`));
  if (line === undefined) throw new TilthError(`tilth train printed no ${kind}`);
  return JSON.parse(line) as Figures;
}

interface Row {
  readonly name: string;
  readonly forecast: Figures;
  readonly measured: Figures;
  readonly memoryError: number;
  readonly timeError: number;
}

function describe({ name, forecast, measured, memoryError, timeError }: Row): string {
  const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(1)} %`;
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  return [
    `${name}: ${megabytes(forecast.memoryBytes)} forecast, ${megabytes(measured.memoryBytes)} measured (${percent(memoryError)});`,
    `${forecast.stepSeconds.toPrecision(3)} s a step forecast, ${measured.stepSeconds.toPrecision(3)} s measured (${percent(timeError)})`,
  ].join(" ");
}
