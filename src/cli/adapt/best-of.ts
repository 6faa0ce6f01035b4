import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../../foundation/index.ts";
import { bestOfJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal, progressLine } from "../terminal.ts";

/** `tilth adapt best-of` */
export const bestOf: Command = {
  summary: "several answers to each prompt, the best first, without a reward model",
  usage: "<checkpoint folder> (--prompt <text> | --prompts <file>) [options]",
  options: {
    prompt: { describe: "a user's message; may be repeated", placeholder: "text", multiple: true },
    prompts: { describe: "one message a line", placeholder: "file" },
    reference: {
      describe: "rank by the implicit reward, the log-ratio to this checkpoint (default: mean log-likelihood a token)",
      placeholder: "folder",
    },
    answers: { describe: "of which the best is taken", placeholder: "count", initial: "4" },
    template: { describe: "a chat template in Jinja (default the checkpoint's)", placeholder: "file" },
    temperature: { describe: "of sampling", placeholder: "number", initial: "0.8" },
    "top-p": { describe: "of sampling", placeholder: "share", initial: "0.95" },
    tokens: { describe: "of an answer at most", placeholder: "count", initial: "64" },
    seed: { describe: "of sampling", placeholder: "number", initial: "1" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print all answers with their scores, one object a prompt" },
  },
  examples: [
    'tilth adapt best-of aligned --reference base --prompt "What is soil?" --answers 8',
    "tilth adapt best-of aligned --prompts prompts.txt > best.jsonl",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const file = input.text("prompts");
    const lines = file === undefined ? [] : readFileSync(file, "utf8").split("\n");
    const prompts = [...input.list("prompt"), ...lines.filter((line) => line.trim() !== "")];
    if (checkpoint === undefined || prompts.length === 0) {
      throw new UsageError("a checkpoint folder and --prompt or --prompts are needed", {
        remedy: "See: tilth adapt best-of --help",
      });
    }
    const [reference, template] = [input.text("reference"), input.text("template")];
    const progress = progressLine();
    const ranked = await runJob(
      bestOfJob,
      {
        ...{
          checkpoint: resolve(checkpoint),
          prompts,
          chat: template === undefined ? {} : { template: resolve(template) },
        },
        ...(reference !== undefined && { reference: resolve(reference) }),
        answers: input.number("answers", { minimum: 1, maximum: 256, whole: true })!,
        temperature: input.number("temperature", { minimum: 0, maximum: 10 })!,
        topP: input.number("top-p", { minimum: 0, maximum: 1 })!,
        maximumTokens: input.number("tokens", { minimum: 1, whole: true })!,
        seed: input.number("seed", { minimum: 0, whole: true })!,
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    // The best alone are rows that `tilth adapt sft` takes.
    for (const one of ranked) {
      const row = input.flag("json") ? one : { prompt: one.prompt, response: one.answers[0].response };
      process.stdout.write(`${JSON.stringify(row)}\n`);
    }
  },
};
