/** `tilth plan --cluster`: a run on several nodes, forecast from what one rank takes on this machine or took on another. */
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { z } from "zod";
import { findConfiguration, isPairsRun, loadRun, modelOf, objectiveOf } from "../config/index.ts";
import { parseSettings, UsageError } from "../foundation/index.ts";
import { measureRankJob, runJob } from "../jobs/index.ts";
import { type ClusterForecast, canShare, forecastCluster, type RankFigures } from "../planner/index.ts";
import { parallelConfiguration, trainingConfiguration } from "../training/index.ts";
import type { CommandInput } from "./command.ts";
import { formatBytes, formatCount, say } from "./terminal.ts";

/** Of `tilth plan`, those of the cluster. */
export const clusterOptions = {
  cluster: { describe: "forecast a run of yours on several nodes instead" },
  nodes: { describe: "cluster: nodes at most", placeholder: "count", initial: "8" },
  "ranks-per-node": { describe: "cluster: ranks of a node", placeholder: "count", initial: "1" },
  threads: { describe: "cluster: threads of a rank; the cores shared out if left out", placeholder: "count" },
  cores: {
    describe: "cluster: cores of a node; those of this machine, or as many as threads, if left out",
    placeholder: "count",
  },
  bandwidth: { describe: "cluster: of a node's network, each way", placeholder: "gigabits/s", initial: "10" },
  latency: { describe: "cluster: of a message", placeholder: "microseconds", initial: "20" },
  figures: { describe: "cluster: what --json printed on a node, instead of measuring here", placeholder: "file" },
} as const;

/** What `--json` prints under `measured`. */
const figuresFile = z.object({
  measured: z.object({
    ...{ device: z.string(), parameters: z.number(), threads: z.number(), sequenceLength: z.number() },
    ...{ batchSequences: z.number(), microBatchSequences: z.number(), microBatchSeconds: z.number() },
    ...{ updateSeconds: z.number(), memoryBytes: z.number(), optimizerBytes: z.number(), checkpointBytes: z.number() },
    ...{ checkpointPauseSeconds: z.number(), checkpointWriteSeconds: z.number() },
  }),
});

export async function planCluster(input: CommandInput): Promise<void> {
  const count = (name: string) => input.number(name, { minimum: 1, maximum: 65_536, whole: true });
  const [nodes, ranksPerNode] = [count("nodes")!, count("ranks-per-node")!];
  const gigabits = input.number("bandwidth", { minimum: 1e-6 })!;
  const network = {
    bandwidthBytesPerSecond: (gigabits * 1e9) / 8,
    latencySeconds: input.number("latency", { minimum: 0 })! * 1e-6,
  };
  const configuration = await loadRun(input.positionals[0] ?? findConfiguration(process.cwd()), input.list("set"));
  if (isPairsRun(configuration)) {
    throw new UsageError("a cluster is forecast for objectives over text; this run trains on images with captions");
  }
  const training = trainingConfiguration.parse(configuration.training);
  const cores = count("cores") ?? availableParallelism();
  const measured = await figuresOf(input, configuration, Math.max(1, Math.floor(cores / ranksPerNode)));
  // Another machine's figures say nothing of its cores: as many as its ranks have threads.
  const coresPerNode =
    input.text("figures") === undefined ? cores : (count("cores") ?? ranksPerNode * measured.threads);
  const { parallel, activationCheckpointing, checkpointEvery } = training;
  const layout = { ...parallelConfiguration.parse(parallel), ranksPerNode, coresPerNode, network, checkpointEvery };
  const some = Array.from({ length: nodes }, (_, index) => index + 1).filter(
    (one) => one === nodes || Number.isInteger(Math.log2(one)),
  );
  const alone = forecastCluster(measured, { ...layout, nodes: 1, ranksPerNode: 1, overlaps: !activationCheckpointing });
  const rows = [
    ...(ranksPerNode === 1 ? [] : [alone]),
    ...some
      .filter((one) => canShare(measured, one * ranksPerNode))
      .map((one) => forecastCluster(measured, { ...layout, nodes: one, overlaps: !activationCheckpointing })),
  ];
  const left = some.filter((one) => !canShare(measured, one * ranksPerNode));
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify({ measured, layout, forecasts: rows, cannotShare: left })}\n`);
    return;
  }
  process.stdout.write(describe(measured, rows, gigabits, network.latencySeconds, checkpointEvery));
  if (left.length > 0) {
    const microBatches = measured.batchSequences / measured.microBatchSequences;
    say(
      `Left out: ${left.join(", ")} nodes, whose ranks cannot share the ${microBatches} micro-batches of a step evenly; change training.batchSequences or microBatchSequences`,
    );
  }
}

async function figuresOf(
  input: CommandInput,
  configuration: Parameters<typeof modelOf>[0],
  threads: number,
): Promise<RankFigures & { readonly device: string }> {
  const file = input.text("figures");
  if (file !== undefined) {
    if (!existsSync(file)) throw new UsageError(`${file}: there is no such file`);
    return parseSettings(figuresFile, JSON.parse(readFileSync(file, "utf8")), file).measured;
  }
  say("Measuring one rank on this machine, some twenty seconds; nothing else should run on it");
  const { architecture, configuration: sizes } = modelOf(configuration, configuration.tokenizer.vocabularySize);
  const given = input.number("threads", { minimum: 1, maximum: 256, whole: true });
  const objective = objectiveOf(configuration).settings;
  return runJob(
    measureRankJob,
    {
      device: { ...configuration.device, threads: given ?? threads },
      model: { architecture: architecture.name, configuration: sizes },
      ...{ training: configuration.training, objective, folder: configuration.runFolder, seconds: 15 },
    },
    { onEvent: ({ warning }) => say(`tilth: ${warning}`) },
  );
}

function describe(
  measured: RankFigures & { readonly device: string },
  rows: readonly ClusterForecast[],
  gigabits: number,
  latencySeconds: number,
  checkpointEvery: number,
): string {
  const header = [
    "nodes",
    "ranks",
    "step",
    "tokens/s",
    "efficiency",
    "communication",
    "not hidden",
    "memory/rank",
    "first rank",
  ];
  const seconds = (value: number) => `${value.toPrecision(3)} s`;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const cells = rows.map((row) => [
    ...[String(row.nodes), String(row.ranks), seconds(row.stepSeconds), formatCount(row.tokensPerSecond)],
    ...[percent(row.efficiency), seconds(row.communicationSeconds), percent(row.exposedShare)],
    ...[formatBytes(row.memoryBytes), formatBytes(row.firstRankMemoryBytes)],
  ]);
  const widths = header.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padStart(widths[column])).join("  ");
  const { microBatchSeconds, updateSeconds, checkpointBytes, checkpointPauseSeconds, checkpointWriteSeconds } =
    measured;
  const crowded = rows.some(({ threadsPerCore }) => threadsPerCore > 1);
  return `${[
    `Measured: ${formatCount(measured.parameters)} parameters, ${measured.threads} thread${measured.threads === 1 ? "" : "s"} (${measured.device})`,
    `  a micro-batch of ${measured.microBatchSequences} × ${measured.sequenceLength} ${seconds(microBatchSeconds)}, the update ${seconds(updateSeconds)}`,
    `  a checkpoint of ${formatBytes(checkpointBytes)}: ${seconds(checkpointPauseSeconds)} of pause, ${seconds(checkpointWriteSeconds)} of writing`,
    `Network: ${gigabits} Gbit/s, ${(latencySeconds * 1e6).toPrecision(3)} µs. Batch: ${measured.batchSequences} sequences`,
    "",
    line(header),
    ...cells.map(line),
    "",
    `A checkpoint every ${checkpointEvery} steps costs ${percent(Math.max(...rows.map(({ checkpointShare }) => checkpointShare)))} of the time at most.`,
    ...(crowded ? ["More threads than cores: computing takes as many times longer, and hides no communication."] : []),
  ].join("\n")}\n`;
}
