import { resolve } from "node:path";
import { describeReport } from "../../adaptation/index.ts";
import { UsageError } from "../../foundation/index.ts";
import { adaptTextJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal } from "../terminal.ts";
import { chatInput, chatOptions } from "./chat-options.ts";
import { commonInput, commonOptions, watchAdaptation } from "./options.ts";

/** `tilth adapt sft` */
export const sft: Command = {
  summary: "instruction tuning on conversations: the loss is on the assistant's words only",
  usage: "<checkpoint folder> --train <file> --output <folder> [options]",
  options: {
    train: { describe: 'rows of {"messages": [{"role", "content"}]} or {"prompt", "response"}', placeholder: "file" },
    ...chatOptions,
    ...commonOptions,
  },
  examples: [
    "tilth adapt sft checkpoint --train chats.jsonl --output instruct",
    "tilth adapt sft checkpoint --train chats.jsonl --template chatml.jinja --lora --output instruct-adapter",
  ],
  async run(input) {
    const train = input.text("train");
    if (train === undefined) throw new UsageError("--train is needed", { remedy: "See: tilth adapt sft --help" });
    const watch = watchAdaptation();
    const { report, output } = await runJob(
      adaptTextJob,
      {
        ...commonInput(input),
        train: { chats: resolve(train), chat: chatInput(input) },
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
