/** The model card of an adapted checkpoint: what it is, what it was made of, what that gained and what it cost. */
import { basename } from "node:path";
import { stageTable } from "../lineage/index.ts";
import type { AdaptationReport } from "./report.ts";

const purposes = {
  classify: "It names a class; what it was tested on is below.",
  full: "It continues text; all that it was trained on last is named below.",
  sft: "It was tuned to answer; nothing but the examples below says how.",
  dpo: "It was tuned to prefer some answers to others; the guards below say what that cost.",
} as const;

/** README.md. `pipeline`: Hugging Face's name of the task. */
export function adaptationCard(report: AdaptationReport, pipeline: string): string {
  const { stage, method, parent, trade, guards, data } = report;
  const licences = [...new Set(data.flatMap(({ licence }) => licence ?? []))];
  const figure = (value: number | null) => (value === null ? "–" : value.toPrecision(4));
  return [
    "---",
    `library_name: ${report.weights === "adapters" ? "peft" : "transformers"}`,
    `pipeline_tag: ${pipeline}`,
    `base_model: ${JSON.stringify(parent.path)}`,
    `base_model_relation: ${report.weights === "adapters" ? "adapter" : "finetune"}`,
    `tags: [tilth, ${stage}]`,
    "---",
    "",
    `# ${basename(parent.path)}, ${stage} with Tilth`,
    "",
    `Stage: **${stage}** (method ${method}, ${report.weights}). ${purposes[method]}`,
    "",
    ...stageTable(stage),
    "",
    `- Parent: \`${parent.path}\` (stage ${parent.stage}), SHA-256 ${Object.values(parent.weights).join(", ")}`,
    `- Steps: ${report.steps}, weights of step ${report.bestStep}${report.stopped ? `; ended because ${report.stopped.reason}` : ""}`,
    ...data.map(
      ({ role, file, rows, sha256, licence }) =>
        `- Data, ${role}: \`${basename(file)}\`, ${rows} rows, licence ${licence ?? "not stated"}, SHA-256 ${sha256}`,
    ),
    ...(licences.length > 0 ? [`- Licences of the data: ${licences.join(", ")}`] : []),
    `- Made by: ${report.madeBy}`,
    "",
    "## What it gained and what it cost",
    "",
    "| figure | before | after | better |",
    "|---|---:|---:|---|",
    ...trade.map(
      ({ name, unit, before, after, better }) =>
        `| ${name} (${unit}) | ${figure(before)} | ${figure(after)} | ${better} |`,
    ),
    "",
    "## Guards",
    "",
    "| guard | verdict | value | limit |",
    "|---|---|---:|---:|",
    ...guards.map(
      ({ name, verdict, value, limit, unit }) => `| ${name} | ${verdict} | ${figure(value)} | ${limit} ${unit} |`,
    ),
    "",
    "All figures are in `adaptation.json`.",
    "",
  ].join("\n");
}
