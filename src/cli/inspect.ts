import { resolve } from "node:path";
import type { ModelFileDescription } from "../export/index.ts";
import { UsageError } from "../foundation/index.ts";
import { chatBehaviourJob, inspectModel, type ModelInspection, runJob } from "../jobs/index.ts";
import { stages } from "../lineage/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { formatBytes, formatCount } from "./terminal.ts";

/** `tilth inspect` */
export const inspect: Command = {
  summary:
    "base or instruct? what a checkpoint, a .safetensors or a .gguf file is, its rights, and what its card leaves out",
  usage: "<folder or file>… [options]",
  options: {
    "headers-only": { describe: "read headers and cards, do not run the model" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth inspect runs/quickstart/checkpoint",
    "tilth inspect model.gguf --json",
    "tilth inspect base assistant aligned",
  ],
  async run(input) {
    const paths = input.positionals;
    if (paths.length === 0) throw new UsageError("which model? Give its folder or file.", { remedy: "See --help." });
    const found: ModelInspection[] = [];
    for (const path of paths) found.push(await inspected(resolve(path), input));
    if (input.flag("json")) process.stdout.write(`${JSON.stringify(found.length === 1 ? found[0] : found)}\n`);
    else process.stdout.write(`${(found.length === 1 ? lines(found[0]) : stageLines(found)).join("\n")}\n`);
  },
};

async function inspected(path: string, input: CommandInput): Promise<ModelInspection> {
  const found = await inspectModel(path);
  const runs =
    !input.flag("headers-only") &&
    found.format === "huggingface" &&
    found.readAs &&
    found.parameters <= mostParameters &&
    found.problems.length === 0 &&
    isDecoder(found);
  if (!runs) return found;
  const device = { backend: input.text("backend") ?? "auto" };
  return inspectModel(path, await runJob(chatBehaviourJob, { checkpoint: path, device }));
}

/** Larger models are not run unasked: that would take minutes. */
const mostParameters = 2e9;

/** Only what writes text has behaviour to look at. */
const isDecoder = ({ architecture }: ModelInspection) => /ForCausalLM|LMHeadModel/.test(architecture ?? "");

function lines(one: ModelInspection): string[] {
  const rows: [string, string | undefined][] = [
    ["stage", `${one.stage}, confidence ${(100 * one.confidence).toFixed(0)} %`],
    ["format", one.format],
    ["architecture", one.architecture && `${one.architecture}${one.readAs === null ? " (not read by Tilth)" : ""}`],
    ["parameters", `${formatCount(one.parameters)} in ${one.tensors} tensors`],
    [
      "types",
      Object.entries(one.types)
        .map(([type, count]) => `${type} ${formatCount(count)}`)
        .join(", "),
    ],
    [
      "memory",
      `${formatBytes(one.memoryBytes.asStored)} as stored, ${formatBytes(one.memoryBytes.f32)} in f32, ${formatBytes(one.memoryBytes.training)} to train with AdamW, activations not counted`,
    ],
    ["tokenizer", one.tokenizer && tokenizerLine(one.tokenizer)],
    ["files", one.files.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(", ")],
  ];
  const table = (entries: [string, unknown][]) =>
    entries.map(
      ([key, value]) => `  ${key.padEnd(32)} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`,
    );
  const configuration = Object.entries(one.configuration ?? {}).filter(([, value]) => value !== undefined);
  const metadata = Object.entries(one.metadata);
  return [
    one.path,
    ...rows.filter(([, value]) => value !== undefined).map(([name, value]) => `  ${name.padEnd(14)} ${value}`),
    ...(one.evidence.length > 0 ? ["evidence", ...one.evidence.map(evidenceLine)] : []),
    ...(one.licences.length > 0
      ? [
          "licences of the data, by bytes",
          ...one.licences
            .slice(0, 10)
            .map(({ licence, share }) => `  ${(100 * share).toFixed(1).padStart(5)} %  ${licence}`),
        ]
      : []),
    ...(one.guards.length > 0 ? [`  ${"guards".padEnd(14)} ${guardsLine(one.guards)}`] : []),
    ...(one.missing.length > 0 ? ["not in its card", ...one.missing.map((name) => `  ${name}`)] : []),
    ...(configuration.length > 0 ? ["configuration", ...table(configuration)] : []),
    ...(metadata.length > 0 ? ["metadata", ...table(metadata)] : []),
    ...one.problems.map((problem) => `problem: ${problem}`),
  ];
}

/** Several checkpoints side by side: the stage of each, what it is for, and what was measured against its risks. */
function stageLines(found: readonly ModelInspection[]): string[] {
  return found.flatMap((one, index) => {
    const known = one.stage === "unknown" ? undefined : stages[one.stage];
    const rows: [string, string][] = [
      ["stage", `${one.stage}, confidence ${(100 * one.confidence).toFixed(0)} %`],
      ...Object.entries(known ?? {}),
      ["guards", guardsLine(one.guards)],
      ["not in its card", one.missing.join(", ") || "nothing"],
    ];
    return [...(index === 0 ? [] : [""]), one.path, ...rows.map(([name, value]) => `  ${name.padEnd(15)} ${value}`)];
  });
}

function guardsLine(guards: ModelInspection["guards"]): string {
  const measured = guards.filter(({ value }) => value !== null);
  if (measured.length === 0) return "none measured";
  return measured
    .map(({ name, value, limit, unit, verdict }) => `${name} ${verdict} (${value!.toPrecision(3)} of ${limit} ${unit})`)
    .join("; ");
}

function evidenceLine({ kind, finding, weights }: ModelInspection["evidence"][number]): string {
  const spoken = Object.entries(weights).map(([stage, weight]) => `${stage} ${weight > 0 ? "+" : ""}${weight}`);
  return `  ${kind.padEnd(14)} ${finding}${spoken.length === 0 ? "" : ` (${spoken.join(", ")})`}`;
}

function tokenizerLine(one: NonNullable<ModelFileDescription["tokenizer"]>): string {
  const merges = one.merges === undefined ? "" : `, ${formatCount(one.merges)} merges`;
  const special = one.specialTokens.slice(0, 8).join(" ");
  const more = one.specialTokens.length > 8 ? ` and ${one.specialTokens.length - 8} more` : "";
  return `${one.kind}: ${formatCount(one.vocabularySize)} tokens${merges}; special: ${special}${more}${one.chatTemplate ? "; chat template" : ""}`;
}
