/** `tilth embed`: texts as vectors. */
import { readFileSync } from "node:fs";
import { poolings } from "../evaluation/index.ts";
import { UsageError } from "../foundation/index.ts";
import { embedJob, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

export const embed: Command = {
  summary: "vectors of texts: pooled hidden states of a checkpoint",
  usage: "<checkpoint folder> (--text <text> | --file <file>) [options]",
  options: {
    text: { describe: "a text; may be repeated", placeholder: "text", multiple: true },
    file: { describe: "a file with one text a line", placeholder: "file" },
    pooling: {
      describe: "mean, cls (first token), eos (last token) or last (of the text)",
      placeholder: "name",
      initial: "mean",
    },
    raw: { describe: "leave the vectors' length as it is instead of 1" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
  },
  examples: [
    'tilth embed runs/quickstart/checkpoints/step-0000500 --text "read a file" --text "open a document"',
    "tilth embed checkpoint --file sentences.txt --pooling cls > vectors.jsonl",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const file = input.text("file");
    const lines = file === undefined ? [] : readFileSync(file, "utf8").split("\n");
    const texts = [...input.list("text"), ...lines.filter((line) => line.trim() !== "")];
    if (checkpoint === undefined || texts.length === 0) {
      throw new UsageError("a checkpoint folder and --text or --file are needed", {
        remedy: "See: tilth embed --help",
      });
    }
    const progress = progressLine();
    const { vectors, width, cut } = await runJob(
      embedJob,
      {
        ...{ checkpoint, texts, normalize: !input.flag("raw"), device: { backend: input.text("backend") ?? "auto" } },
        pooling: input.choice("pooling", poolings) ?? "mean",
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    if (cut > 0) say(`tilth: ${cut} of ${texts.length} texts were longer than the model's context and were cut`);
    texts.forEach((text, row) => {
      const embedding = [...vectors.subarray(row * width, (row + 1) * width)];
      process.stdout.write(`${JSON.stringify({ text, embedding })}\n`);
    });
  },
};
