import { resolve } from "node:path";
import { describeReport } from "../../adaptation/index.ts";
import { UsageError } from "../../foundation/index.ts";
import { adaptTextJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal } from "../terminal.ts";
import { commonInput, commonOptions, watchAdaptation } from "./options.ts";

/** `tilth adapt full` and `tilth adapt lora`, which differ in what learns. */
function onText(name: "full" | "lora", summary: string): Command {
  const { lora: _lora, ...options } = commonOptions;
  return {
    summary,
    usage: "<checkpoint folder> (--texts <file> | --pairs <file>) --output <folder> [options]",
    options: {
      texts: { describe: 'rows of {"text"}: JSONL, CSV or Parquet', placeholder: "file" },
      pairs: { describe: 'rows of {"prompt", "response"}: the loss is on the responses', placeholder: "file" },
      "sequence-length": { describe: "tokens of a row", placeholder: "tokens", initial: "256" },
      "validation-share": { describe: "share of the rows that is held out", placeholder: "share", initial: "0.1" },
      ...(name === "lora" ? options : withoutAdapters(options)),
    },
    examples: [
      `tilth adapt ${name} checkpoint --texts handbook.jsonl --output handbook-model`,
      `tilth adapt ${name} checkpoint --pairs answers.jsonl --guard narrowing=stop:0.3 --output answers-model`,
    ],
    async run(input) {
      const [texts, pairs] = [input.text("texts"), input.text("pairs")];
      if ((texts === undefined) === (pairs === undefined)) {
        throw new UsageError("one of --texts and --pairs is needed", { remedy: `See: tilth adapt ${name} --help` });
      }
      const watch = watchAdaptation();
      const { report, output } = await runJob(
        adaptTextJob,
        {
          ...commonInput(input, name === "lora"),
          train: texts === undefined ? { pairs: resolve(pairs!) } : { texts: resolve(texts) },
          sequenceLength: input.number("sequence-length", { minimum: 8, whole: true })!,
          validationShare: input.number("validation-share", { minimum: 0.01, maximum: 0.9 })!,
        },
        { onEvent: watch.listen, signal: interruptSignal("stopping") },
      );
      watch.end();
      if (input.flag("json")) process.stdout.write(`${JSON.stringify(report)}\n`);
      else process.stdout.write(`${[...describeReport(report), "", `Written: ${output}`].join("\n")}\n`);
    },
  };
}

function withoutAdapters(options: Omit<typeof commonOptions, "lora">) {
  const { rank: _rank, alpha: _alpha, "lora-dropout": _dropout, targets: _targets, merge: _merge, ...rest } = options;
  return rest;
}

export const full = onText("full", "train all weights on texts, or on prompts with responses");
export const lora = onText("lora", "train low-rank adapters on texts, or on prompts with responses");
