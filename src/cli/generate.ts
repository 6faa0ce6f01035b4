import { UsageError } from "../foundation/index.ts";
import { generateJob, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { interruptSignal, say } from "./terminal.ts";

/** `tilth generate` */
export const generate: Command = {
  summary: "stream text from a checkpoint",
  usage: "<checkpoint folder> [options]",
  options: {
    prompt: {
      describe: "text to continue; empty starts a document; may be repeated: all continue at once",
      placeholder: "text",
      multiple: true,
    },
    tokens: { describe: "tokens to make at most", placeholder: "count", initial: "200" },
    temperature: { describe: "0 takes the likeliest token", placeholder: "number", initial: "0.8" },
    "top-p": { describe: "nucleus sampling", placeholder: "share", initial: "0.95" },
    "top-k": { describe: "only the k likeliest tokens; 0 admits all", placeholder: "count", initial: "0" },
    weights: {
      describe:
        "how weights are held: f32, bf16 (half the memory, twice the speed), or stored: bf16 where the files are",
      placeholder: "type",
      initial: "stored",
    },
    seed: { describe: "same seed, same text", placeholder: "number", initial: "1" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object instead of streaming, an array of them for several prompts" },
  },
  examples: ['tilth generate runs/quickstart/checkpoint --prompt "## Installation"'],
  async run(input) {
    const [checkpoint] = input.positionals;
    if (checkpoint === undefined) throw new UsageError("which checkpoint? Give its folder.", { remedy: "See --help." });
    const json = input.flag("json");
    const given = input.list("prompt");
    const prompts = given.length === 0 ? [""] : given;
    const streams = !json && prompts.length === 1;
    if (streams) process.stdout.write(prompts[0]);
    const continuations = await runJob(
      generateJob,
      {
        checkpoint,
        device: { backend: input.text("backend") ?? "auto" },
        weights: input.choice("weights", ["f32", "bf16", "stored"]),
        prompts,
        maximumTokens: input.number("tokens", { minimum: 1, maximum: 1e6, whole: true }) ?? 200,
        temperature: input.number("temperature", { minimum: 0, maximum: 100 }) ?? 0.8,
        topP: input.number("top-p", { minimum: 0, maximum: 1 }) ?? 0.95,
        topK: input.number("top-k", { minimum: 0, maximum: 1e6, whole: true }) ?? 0,
        seed: input.number("seed", { minimum: 0, maximum: 2 ** 53, whole: true }) ?? 1,
      },
      {
        signal: interruptSignal(""),
        onEvent: (event) => {
          if (event.kind === "warning") say(`tilth: ${event.message}`);
          else if (streams) process.stdout.write(event.text);
        },
      },
    );
    if (json) process.stdout.write(`${JSON.stringify(prompts.length === 1 ? continuations[0] : continuations)}\n`);
    else if (streams) process.stdout.write("\n");
    else for (const { prompt, text } of continuations) process.stdout.write(`${prompt}${text}\n\n`);
  },
};
