import { resolve } from "node:path";
import { describeReport, preferenceLossNames } from "../../adaptation/index.ts";
import { UsageError } from "../../foundation/index.ts";
import { adaptPreferencesJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal } from "../terminal.ts";
import { chatInput, chatOptions } from "./chat-options.ts";
import { commonInput, commonOptions, watchAdaptation } from "./options.ts";

/** `tilth adapt dpo` */
export const dpo: Command = {
  summary: "preference tuning on pairs of responses: DPO, or IPO",
  usage: "<checkpoint folder> --train <file> --output <folder> [options]",
  options: {
    train: { describe: 'rows of {"prompt", "chosen", "rejected"}, or of two whole conversations', placeholder: "file" },
    loss: { describe: `${preferenceLossNames.join(" (DPO) or ")}`, placeholder: "name", initial: "sigmoid" },
    beta: { describe: "how strongly the reference holds", placeholder: "number", initial: "0.1" },
    reference: { describe: "what the model is held to (default the checkpoint itself)", placeholder: "folder" },
    "reference-cache": {
      describe: "keep the reference's log-probabilities here, for further runs on the same pairs",
      placeholder: "file",
    },
    ...chatOptions,
    ...commonOptions,
    "learning-rate": { describe: "highest learning rate (default 5e-5, with --lora 2e-4)", placeholder: "number" },
    epochs: { ...commonOptions.epochs, initial: "1" },
  },
  examples: [
    "tilth adapt dpo instruct --train preferences.jsonl --output aligned",
    "tilth adapt dpo instruct --train preferences.jsonl --loss ipo --guard divergence=stop:0.3 --output aligned",
  ],
  async run(input) {
    const train = input.text("train");
    if (train === undefined) throw new UsageError("--train is needed", { remedy: "See: tilth adapt dpo --help" });
    const [reference, cache] = [input.text("reference"), input.text("reference-cache")];
    const common = commonInput(input);
    const watch = watchAdaptation();
    const { report, output } = await runJob(
      adaptPreferencesJob,
      {
        ...common,
        settings: {
          ...common.settings,
          // Weights that already answer are moved a little.
          learningRate: input.number("learning-rate", { minimum: 0 }) ?? (common.settings.lora ? 2e-4 : 5e-5),
        },
        train: resolve(train),
        chat: chatInput(input),
        preference: {
          loss: input.choice("loss", preferenceLossNames)!,
          beta: input.number("beta", { minimum: 1e-6 })!,
        },
        ...(reference !== undefined && { reference: resolve(reference) }),
        ...(cache !== undefined && { referenceCache: resolve(cache) }),
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
