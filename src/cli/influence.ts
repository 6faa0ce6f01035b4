/** `tilth influence`: which training documents an output comes near to. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import { type InfluenceOutput, influenceJob, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { hitLines } from "./search.ts";
import { formatCount, interruptSignal, progressLine, say } from "./terminal.ts";

export const influence: Command = {
  summary: "training documents that an output comes near to: word for word, and by representation",
  usage: "<checkpoint folder> (--output <text> | --output-file <file> | --prompt <text>) [options]",
  options: {
    output: { describe: "a text that the model wrote; may be repeated", placeholder: "text", multiple: true },
    "output-file": { describe: "a file with such a text", placeholder: "file" },
    prompt: {
      describe: "let it write: its likeliest continuation; may be repeated",
      placeholder: "text",
      multiple: true,
    },
    "maximum-tokens": { describe: "tokens that it writes", placeholder: "count", initial: "100" },
    "minimum-tokens": { describe: "shortest stretch that is told", placeholder: "count", initial: "10" },
    top: { describe: "stretches and documents that are told of each", placeholder: "count", initial: "5" },
    vectors: {
      describe:
        "vectors of the documents by this checkpoint (default retrieval/<step>.parquet of its run; made if missing)",
      placeholder: "file",
    },
    "words-only": { describe: "look for stretches word for word alone" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    'tilth influence runs/quickstart/checkpoints/step-0000500 --prompt "Permission is hereby granted"',
    "tilth influence checkpoint --output-file answer.txt --minimum-tokens 20 --words-only --json",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const file = input.text("output-file");
    const outputs = [...input.list("output"), ...(file === undefined ? [] : [readFileSync(file, "utf8")])];
    const prompts = input.list("prompt");
    if (checkpoint === undefined || outputs.length > 0 === prompts.length > 0) {
      throw new UsageError("a checkpoint folder and --output (or --output-file) or --prompt are needed", {
        remedy: "See: tilth influence --help",
      });
    }
    const whole = { minimum: 1, maximum: 1_000_000, whole: true };
    const vectors = input.text("vectors");
    const progress = progressLine();
    const found = await runJob(
      influenceJob,
      {
        checkpoint: resolve(checkpoint),
        asked: prompts.length > 0 ? { prompts } : { outputs },
        maximumTokens: input.number("maximum-tokens", whole)!,
        minimumTokens: input.number("minimum-tokens", whole)!,
        top: input.number("top", whole)!,
        ...(vectors === undefined ? {} : { vectors: resolve(vectors) }),
        nearest: !input.flag("words-only"),
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    process.stdout.write(input.flag("json") ? `${JSON.stringify(found)}\n` : `${lines(found).join("\n")}\n`);
    if (found.gone.length > 0) {
      say(`tilth: a take-down replaced ${found.gone.join(", ")} since: what only those held was not searched`);
    }
  },
};

function lines({ run, step, searchedTokens, outputs }: InfluenceOutput): string[] {
  return [
    `${formatCount(searchedTokens)} training tokens of ${run} up to step ${step}`,
    ...outputs.flatMap(({ prompt, output, tokens, covered, spans, nearest }) => [
      "",
      ...(prompt === null ? [] : [`prompt: ${oneLine(prompt)}`]),
      `output: ${oneLine(output)}`,
      spans.length === 0
        ? "word for word: nothing of that length"
        : `word for word: ${(100 * covered).toFixed(0)} % of ${tokens} tokens`,
      ...spans.flatMap(spanLines),
      ...(nearest.length === 0
        ? []
        : ["nearest by representation:", ...nearest.flatMap(hitLines).map((one) => `  ${one}`)]),
    ]),
  ];
}

/** Documents that are named of a stretch. */
const shownPlaces = 3;

/** A stretch for people: how long, what, in which documents. */
export function spanLines({
  text,
  length,
  occurrences,
  places,
}: InfluenceOutput["outputs"][number]["spans"][number]): string[] {
  return [
    `  ${length} tokens, ${occurrences === 1 ? "once" : `${formatCount(occurrences)} times`}: ${oneLine(text)}`,
    ...places.slice(0, shownPlaces).map(({ document, source, path, licence, shard, passes, firstStep }) => {
      const where = source === null ? shard : `${source} ${path} [${licence ?? "no licence"}]`;
      const times = passes === 1 ? "once, in" : `${passes} times, first in`;
      const seen = passes === null ? "" : passes === 0 ? ", not seen yet" : `, seen ${times} step ${firstStep}`;
      return `      ${where} ${document.slice(0, 12)}${seen}`;
    }),
  ];
}

const oneLine = (text: string) => {
  const line = JSON.stringify(text);
  return line.length <= 200 ? line : `${line.slice(0, 199)}…`;
};
