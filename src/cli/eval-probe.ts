/** `tilth eval --probe`: what simple classifiers find in a checkpoint's vectors. */
import { poolings } from "../evaluation/index.ts";
import { type Estimate, UsageError } from "../foundation/index.ts";
import { evaluateProbeJob, keepEvaluation, runJob } from "../jobs/index.ts";
import type { CommandInput } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
const estimate = ({ value, interval }: Estimate) => `${percent(value)} (95 %: ${interval.map(percent).join(" to ")})`;

/** Prints both probes on the trained and the untrained model, or one JSON object with --json. */
export async function evaluateProbe(checkpoint: string, input: CommandInput): Promise<void> {
  const [texts, ...more] = input.list("data");
  const images = input.text("images");
  if (more.length > 0) throw new UsageError("--probe takes one file of labelled texts");
  if ((texts === undefined) === (images === undefined)) {
    throw new UsageError("--probe needs --data <file of labelled texts> or --images <set that names classes>");
  }
  const progress = progressLine();
  const result = await runJob(
    evaluateProbeJob,
    {
      checkpoint,
      data:
        texts === undefined
          ? { images: images! }
          : { texts, fields: { text: input.text("text")!, label: input.text("label")! } },
      pooling: input.choice("pooling", poolings) ?? "mean",
      testShare: 0.3,
      seed: 1,
      device: { backend: input.text("backend") ?? "auto" },
    },
    { onEvent: progress.update, signal: interruptSignal("stopping") },
  );
  progress.end();
  keepEvaluation(checkpoint, { name: "probe", settings: { data: texts ?? images }, result }, say);
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { trained, untrained } = result;
  process.stdout.write(
    [
      `${result.classes.length} classes, ${result.train} examples to fit, ${result.test} to test`,
      `linear probe        ${estimate(trained.linear)}, untrained ${estimate(untrained.linear)}`,
      `nearest neighbours  ${estimate(trained.nearestNeighbours)}, untrained ${estimate(untrained.nearestNeighbours)}`,
      `most frequent class ${percent(result.majorityAccuracy)}`,
      "",
    ].join("\n"),
  );
}
