/** `tilth eval memorisation`: what of a checkpoint's samples stands in its training text word for word. */
import { resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import { keepEvaluation, type MemorisationOutput, memorisationJob, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { spanLines } from "./influence.ts";
import { formatCount, interruptSignal, progressLine, say } from "./terminal.ts";

export const memorisation: Command = {
  summary: "whether a checkpoint recites its training text: stretches of its samples that stand there word for word",
  usage: "<checkpoint folder> [options]",
  options: {
    samples: {
      describe: "samples of each kind: from nothing, and after beginnings of documents",
      placeholder: "count",
      initial: "64",
    },
    "prefix-tokens": { describe: "tokens of a document before a sample", placeholder: "count", initial: "50" },
    "maximum-tokens": { describe: "tokens of a sample", placeholder: "count", initial: "200" },
    "minimum-tokens": { describe: "shortest stretch that counts", placeholder: "count", initial: "50" },
    show: { describe: "stretches that are printed", placeholder: "count", initial: "5" },
    seed: { describe: "of samples and of the documents drawn", placeholder: "number", initial: "1" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth eval memorisation runs/quickstart/checkpoints/step-0000500",
    "tilth eval memorisation checkpoint --samples 500 --minimum-tokens 30 --json",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    if (checkpoint === undefined) {
      throw new UsageError("which checkpoint? Give its folder.", { remedy: "See: tilth eval memorisation --help" });
    }
    const whole = { minimum: 1, maximum: 1_000_000, whole: true };
    const progress = progressLine();
    const found = await runJob(
      memorisationJob,
      {
        checkpoint: resolve(checkpoint),
        samples: input.number("samples", { ...whole, minimum: 2 })!,
        prefixTokens: input.number("prefix-tokens", whole)!,
        maximumTokens: input.number("maximum-tokens", whole)!,
        minimumTokens: input.number("minimum-tokens", whole)!,
        seed: input.number("seed", { minimum: 0, maximum: 2 ** 31, whole: true })!,
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    const { spans: _, ...figures } = found;
    keepEvaluation(
      checkpoint,
      { name: "memorisation", settings: { minimumTokens: found.minimumTokens }, result: figures },
      say,
    );
    if (input.flag("json")) process.stdout.write(`${JSON.stringify(found)}\n`);
    else {
      const shown = found.spans.slice(0, input.number("show", { minimum: 0, whole: true })!);
      process.stdout.write(`${[...lines(found), ...shown.flatMap(spanLines)].join("\n")}\n`);
    }
    if (found.gone.length > 0) {
      say(`tilth: a take-down replaced ${found.gone.join(", ")} since: what only those held was not searched`);
    }
  },
};

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

function lines({ minimumTokens, searchedTokens, unprompted, prompted, spans }: MemorisationOutput): string[] {
  const row = (name: string, { samples, memorised, tokens }: MemorisationOutput["prompted"]) =>
    `${name.padEnd(30)} ${percent(memorised.value)} of ${samples} samples (95 %: ${memorised.interval.map(percent).join(" to ")}), ${percent(tokens)} of their tokens`;
  return [
    `Stretches of at least ${minimumTokens} tokens that stand word for word in ${formatCount(searchedTokens)} training tokens`,
    row("from nothing", unprompted),
    row("after a document's beginning", prompted),
    ...(spans.length === 0 ? [] : ["the longest:"]),
  ];
}
