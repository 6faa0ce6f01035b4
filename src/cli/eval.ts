import type { LikelihoodFigures } from "../evaluation/index.ts";
import { UsageError } from "../foundation/index.ts";
import { type EvaluateOutput, evaluateJob, keepEvaluation, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { evaluateImages } from "./eval-images.ts";
import { evaluateProbe } from "./eval-probe.ts";
import { evaluateTask, taskOptions } from "./eval-task.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** `tilth eval` */
export const evaluate: Command = {
  summary: "bits per byte on held-out documents beside compressors, or a task's questions",
  usage:
    "<checkpoint folder> (--corpus <folder> | --images <folder> | --task <name> --data <file> | --probe) [options]",
  options: {
    corpus: { describe: "folder of the document store", placeholder: "folder" },
    window: { describe: "tokens of a window, at most the model's context", placeholder: "tokens", initial: "256" },
    stride: { describe: "tokens scored by every window after the first", placeholder: "tokens", initial: "128" },
    images: {
      describe: "pictures with captions: retrieval both ways, and zero-shot classification where classes are named",
      placeholder: "folder",
    },
    "held-out": { describe: "the run whose test pairs alone are evaluated on", placeholder: "run folder" },
    prompt: { describe: "a sentence for classes, with {class}; may be repeated", placeholder: "text", multiple: true },
    probe: {
      describe:
        "linear and nearest-neighbour probes: of --data (texts with a label: JSONL, CSV or Parquet) or of --images with classes",
    },
    text: { describe: "field of the text to probe", placeholder: "name", initial: "text" },
    label: { describe: "field of its class", placeholder: "name", initial: "label" },
    pooling: {
      describe: "mean, cls, eos or last: which states make a text's vector",
      placeholder: "name",
      initial: "mean",
    },
    ...taskOptions,
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth eval runs/quickstart/checkpoints/step-0000500 --corpus runs/quickstart/corpus",
    "tilth eval checkpoint --task blimp --data adjunct_island.jsonl",
    "tilth eval checkpoint --probe --data labelled.jsonl",
    "tilth eval checkpoint --task multiple-choice --data questions.jsonl --shots 3 --against older-checkpoint",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    if (checkpoint !== undefined && input.flag("probe")) return evaluateProbe(checkpoint, input);
    if (checkpoint !== undefined && input.text("task") !== undefined) return evaluateTask(checkpoint, input);
    if (checkpoint !== undefined && input.text("images") !== undefined) return evaluateImages(checkpoint, input);
    const store = input.text("corpus");
    if (checkpoint === undefined || store === undefined) {
      throw new UsageError("a checkpoint folder and --corpus, --images, --task or --probe are needed", {
        remedy: "See: tilth eval --help",
      });
    }
    const progress = progressLine();
    const window = input.number("window", { minimum: 2, maximum: 1 << 20, whole: true })!;
    const stride = input.number("stride", { minimum: 1, maximum: window, whole: true })!;
    const result = await runJob(
      evaluateJob,
      { checkpoint, store, device: { backend: input.text("backend") ?? "auto" }, window, stride, baselines: true },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    keepEvaluation(checkpoint, { name: "bits per byte", settings: { corpus: store, window, stride }, result }, say);
    const json = `${JSON.stringify({ ...result, window, stride, documentBoundaries: "each document on its own" })}\n`;
    process.stdout.write(input.flag("json") ? json : describe(result, window, stride));
  },
};

function describe({ parts, baselines, ...all }: EvaluateOutput, window: number, stride: number): string {
  const interval = ([low, high]: readonly [number, number]) => `(95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`;
  const line = (name: string, { bitsPerByte, bitsPerByteInterval }: LikelihoodFigures) =>
    `${name.padEnd(24)} ${bitsPerByte.toFixed(4)} ${interval(bitsPerByteInterval)}`;
  return [
    `${all.documents} documents, ${all.bytes} bytes, ${all.tokens} tokens (windows of ${window}, stride ${stride}, each document on its own)`,
    line("bits per byte", all),
    `${"perplexity".padEnd(24)} ${all.perplexity.toFixed(3)} a token ${interval(all.perplexityInterval)}`,
    ...Object.entries(baselines ?? {}).map(([name, value]) => `${name.padEnd(24)} ${value.toFixed(4)}`),
    "",
    "Bits per byte by source and kind of text:",
    ...Object.entries(parts).map(([name, part]) => `${line(`  ${name}`, part)}, ${part.documents} documents`),
    "",
  ].join("\n");
}
