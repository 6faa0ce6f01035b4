import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../../foundation/index.ts";
import { predictClassesJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal, progressLine } from "../terminal.ts";

/** `tilth adapt predict` */
export const predict: Command = {
  summary: "the class of each text, from a checkpoint that adapt classify has made",
  usage: "<classifier folder> (--text <text> | --file <file>) [options]",
  options: {
    text: { describe: "a text; may be repeated", placeholder: "text", multiple: true },
    file: { describe: "a file with one text a line", placeholder: "file" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
  },
  examples: [
    'tilth adapt predict intents --text "Where is my card?"',
    "tilth adapt predict intents --file questions.txt",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const file = input.text("file");
    const lines = file === undefined ? [] : readFileSync(file, "utf8").split("\n");
    const texts = [...input.list("text"), ...lines.filter((line) => line.trim() !== "")];
    if (checkpoint === undefined || texts.length === 0) {
      throw new UsageError("a classifier folder and --text or --file are needed", {
        remedy: "See: tilth adapt predict --help",
      });
    }
    const progress = progressLine();
    const predictions = await runJob(
      predictClassesJob,
      { checkpoint: resolve(checkpoint), texts, device: { backend: input.text("backend") ?? "auto" } },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    predictions.forEach(
      (one, index) => void process.stdout.write(`${JSON.stringify({ text: texts[index], ...one })}\n`),
    );
  },
};
