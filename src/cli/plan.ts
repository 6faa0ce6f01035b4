import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { parse } from "yaml";
import { UsageError, writeFileAtomically } from "../foundation/index.ts";
import {
  type Flip,
  type Plan,
  packagedCatalogue,
  parseNeeds,
  planFor,
  planPage,
  readCatalogue,
  type StepEstimate,
  stepsOf,
} from "../planner/index.ts";
import type { Command } from "./command.ts";
import { clusterOptions, planCluster } from "./plan-cluster.ts";
import { formatBytes, formatCount, say } from "./terminal.ts";

/** `tilth plan` */
export const plan: Command = {
  summary: "from scratch, continue, fine-tune, retrieve or ask a hosted model: decided by figures",
  usage: "<needs file> [options]  |  --cluster [configuration file] [options]",
  options: {
    ...clusterOptions,
    catalogue: { describe: "prices and speeds; yours, kept up to date", placeholder: "file" },
    set: {
      describe: "override a need: requestsPerDay=2000; may be repeated",
      placeholder: "name=value",
      multiple: true,
    },
    html: { describe: "write the plan as a page with plots", placeholder: "file" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth plan examples/plans/legal.yaml",
    "tilth plan needs.yaml --catalogue prices.yaml --set domainTokens=2e9 --html plan.html",
    "tilth plan --cluster --nodes 8 --bandwidth 25 --latency 3",
  ],
  async run(input) {
    if (input.flag("cluster")) return planCluster(input);
    const [file] = input.positionals;
    if (file === undefined || !existsSync(file)) {
      throw new UsageError(file === undefined ? "a file of needs is needed" : `${file}: there is no such file`, {
        remedy: "Copy one of examples/plans/ and change it; docs/planning.md says what each need is.",
      });
    }
    const overrides = input.list("set").map((one) => {
      const at = one.indexOf("=");
      if (at <= 0) throw new UsageError(`--set "${one}" is not of the form name=value, e.g. requestsPerDay=2000`);
      const text = one.slice(at + 1);
      return [one.slice(0, at), Number.isNaN(Number(text)) ? text : Number(text)] as const;
    });
    const needs = parseNeeds(
      { ...parse(readFileSync(file, "utf8")), ...Object.fromEntries(overrides) },
      basename(file),
    );
    const own = input.text("catalogue");
    const catalogue = readCatalogue(own ?? packagedCatalogue());
    if (own === undefined) {
      say(`prices and speeds of ${catalogue.date}, as packaged: check them and give your own with --catalogue`);
    }
    const decided = planFor(needs, catalogue);
    const steps = await stepsOf(decided, needs, catalogue);
    const page = input.text("html");
    if (page !== undefined) writeFileAtomically(page, await planPage(decided, steps, needs, catalogue));
    process.stdout.write(
      input.flag("json") ? `${JSON.stringify({ needs, ...decided, steps })}\n` : describe(decided, steps),
    );
  },
};

function describe(
  { ways, recommendation, reasons, sensitivity, currency, catalogueDate }: Plan,
  steps: readonly StepEstimate[],
): string {
  const header = ["way", "model", "loss", "people", "training", "use", "total", "weeks", "latency", "memory"];
  const rows = ways.map(({ name, model, loss, cost, weeks, latencySeconds, memoryBytes }) => [
    `${name === recommendation?.name ? "> " : "  "}${name}`,
    model,
    loss.toFixed(2),
    ...[cost.people, cost.training, cost.use, cost.total].map((amount) => Math.round(amount).toLocaleString("en-US")),
    weeks.toFixed(1),
    `${latencySeconds.toFixed(1)} s`,
    memoryBytes === null ? "–" : formatBytes(memoryBytes),
  ]);
  return [
    recommendation === null
      ? "No way meets all requirements."
      : `Recommended: ${recommendation.name} (${recommendation.model})`,
    ...reasons.map((reason) => `  - ${reason}`),
    ...(recommendation?.risks ?? []).map((risk) => `  risk: ${risk}`),
    "",
    `Costs in ${currency} by a catalogue of ${catalogueDate}; loss: forecast on domain text, nats a token, for comparison only.`,
    ...aligned([header.map((one, index) => (index === 0 ? `  ${one}` : one)), ...rows]),
    "",
    `A step of training on one ${steps[0].device}, a Llama of that size, AdamW, bf16 (tilth train says it again with measured rates, and what it was):`,
    ...aligned(steps.map(stepCells)),
    "",
    "What would change the recommendation:",
    ...(sensitivity.length === 0
      ? ["  nothing within a factor of 1000"]
      : sensitivity.map((flip) => `  ${flipText(flip)}`)),
    "",
  ].join("\n");
}

function stepCells({ way, model, configuration, training, memoryBytes, seconds, tokensPerSecond, fits }: StepEstimate) {
  const { batchSequences, sequenceLength, microBatchSequences, activationCheckpointing } = training;
  return [
    `  ${way}`,
    `${model}: ${configuration.layers} layers × ${configuration.width}`,
    `${batchSequences} × ${sequenceLength} tokens in micro-batches of ${microBatchSequences}${activationCheckpointing ? ", checkpointed" : ""}`,
    `${formatBytes(memoryBytes)}${fits ? "" : " (more than it has)"}`,
    `${seconds.toPrecision(3)} s`,
    `${formatCount(tokensPerSecond)} tokens/s`,
  ];
}

function flipText({ need, from, to, direction, recommendation }: Flip): string {
  const value = (one: number | string) => (typeof one === "number" ? formatCount(one) : one);
  const change =
    direction === undefined ? `${value(from)} → ${value(to)}` : `${value(from)}, ${direction} ${value(to)}`;
  return `${need}: ${change}: ${recommendation ?? "no way is left"}`;
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join("  "),
  );
}
