/** `tilth eval --images`: what a model with two towers finds among pictures and their captions. */
import { evaluatePairsJob, keepEvaluation, readPairsFile, runJob } from "../jobs/index.ts";
import type { CommandInput } from "./command.ts";
import { interruptSignal, say } from "./terminal.ts";

const percent = (value: number) => `${(value * 100).toFixed(1)} %`;

/** Prints recall@k both ways and zero-shot accuracy, or one JSON object with --json. */
export async function evaluateImages(checkpoint: string, input: CommandInput): Promise<void> {
  const templates = input.list("prompt");
  const run = input.text("held-out");
  const result = await runJob(
    evaluatePairsJob,
    {
      checkpoint,
      images: { path: input.text("images")! },
      ...(run === undefined ? {} : { names: readPairsFile(run).test }),
      ...(templates.length > 0 ? { templates } : {}),
      device: { backend: input.text("backend") ?? "auto" },
    },
    { onEvent: ({ warning }) => say(`tilth: ${warning}`), signal: interruptSignal("stopping") },
  );
  keepEvaluation(checkpoint, { name: "images", settings: { images: input.text("images"), templates }, result }, say);
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { zeroShot } = result;
  const line = (name: string, one: typeof result.imageToText) =>
    `${name.padEnd(14)} recall@1 ${percent(one.recallAt1)} (95 %: ${one.interval.map(percent).join(" to ")}), @5 ${percent(one.recallAt5)}, @10 ${percent(one.recallAt10)}; chance @1 ${percent(one.chance)}`;
  process.stdout.write(
    [
      `${result.pairs} pairs${result.damaged > 0 ? `, ${result.damaged} damaged images left out` : ""}`,
      line("image to text", result.imageToText),
      line("text to image", result.textToImage),
      zeroShot === null
        ? "zero-shot      not measured: fewer than two classes are named"
        : `zero-shot      ${percent(zeroShot.accuracy.value)} of ${zeroShot.classes.length} classes (95 %: ${zeroShot.accuracy.interval.map(percent).join(" to ")}), mean over classes; chance ${percent(zeroShot.chance)}`,
      "",
    ].join("\n"),
  );
}
