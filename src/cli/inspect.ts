import { describeModelFile, type ModelFileDescription } from "../export/index.ts";
import { UsageError } from "../foundation/index.ts";
import type { Command } from "./command.ts";
import { formatBytes, formatCount } from "./terminal.ts";

/** `tilth inspect` */
export const inspect: Command = {
  summary: "what a checkpoint, a .safetensors or a .gguf file holds",
  usage: "<folder or file> [options]",
  options: { json: { describe: "print one JSON object" } },
  examples: ["tilth inspect runs/quickstart/checkpoint", "tilth inspect model.gguf --json"],
  async run(input) {
    const [path] = input.positionals;
    if (path === undefined) throw new UsageError("which model? Give its folder or file.", { remedy: "See --help." });
    const description = describeModelFile(path);
    process.stdout.write(
      input.flag("json") ? `${JSON.stringify(description)}\n` : `${lines(description).join("\n")}\n`,
    );
  },
};

function lines(one: ModelFileDescription): string[] {
  const rows: [string, string | undefined][] = [
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
  const configuration = Object.entries(one.configuration ?? {});
  const metadata = Object.entries(one.metadata);
  return [
    one.path,
    ...rows.filter(([, value]) => value !== undefined).map(([name, value]) => `  ${name.padEnd(14)} ${value}`),
    ...(configuration.length > 0 ? ["configuration", ...table(configuration)] : []),
    ...(metadata.length > 0 ? ["metadata", ...table(metadata)] : []),
    ...one.problems.map((problem) => `problem: ${problem}`),
  ];
}

function tokenizerLine(one: NonNullable<ModelFileDescription["tokenizer"]>): string {
  const merges = one.merges === undefined ? "" : `, ${formatCount(one.merges)} merges`;
  const special = one.specialTokens.slice(0, 8).join(" ");
  const more = one.specialTokens.length > 8 ? ` and ${one.specialTokens.length - 8} more` : "";
  return `${one.kind}: ${formatCount(one.vocabularySize)} tokens${merges}; special: ${special}${more}${one.chatTemplate ? "; chat template" : ""}`;
}
