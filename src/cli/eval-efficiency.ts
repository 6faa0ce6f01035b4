import { labelledTexts } from "../adaptation/index.ts";
import { type EfficiencyCurve, poolings, readRows, type SampleEfficiency } from "../evaluation/index.ts";
import { TilthError, UsageError, writeFileAtomically } from "../foundation/index.ts";
import { evaluateEfficiencyJob, keepEvaluation, type LabelledTexts, runJob } from "../jobs/index.ts";
import { plotSvg } from "../plots/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** `tilth eval efficiency` */
export const efficiency: Command = {
  summary: "how many labels pre-training saved: a linear head on the checkpoint and on random weights",
  usage: "<checkpoint folder> --train <file> --test <file> [options]",
  options: {
    train: { describe: "labelled texts: JSONL, CSV or Parquet", placeholder: "file" },
    test: { describe: "labelled texts that no head is fitted to", placeholder: "file" },
    text: { describe: "field of the text", placeholder: "name", initial: "text" },
    label: { describe: "field of the class", placeholder: "name", initial: "label" },
    labels: { describe: "numbers of labels", placeholder: "n,n,…", initial: "10,30,100,300,1000" },
    draws: {
      describe: "draws of every number of labels: the intervals are over them",
      placeholder: "count",
      initial: "5",
    },
    limit: { describe: "test examples, from the file's beginning", placeholder: "count" },
    pooling: { describe: `hidden states: ${poolings.join(", ")}`, placeholder: "name", initial: "mean" },
    seed: { describe: "of draws and random weights", placeholder: "number", initial: "1" },
    plot: { describe: "draw both curves: an SVG", placeholder: "file" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth eval efficiency checkpoint --train train.csv --test test.csv --label category --plot efficiency.svg",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const [trainFile, testFile] = [input.text("train"), input.text("test")];
    if (checkpoint === undefined || trainFile === undefined || testFile === undefined) {
      throw new UsageError("a checkpoint folder, --train and --test are needed", {
        remedy: "See: tilth eval efficiency --help",
      });
    }
    const classes = new Map<string, number>();
    const train = labelled(await readRows(trainFile), trainFile, input, classes);
    const known = classes.size;
    const test = labelled(await readRows(testFile), testFile, input, classes);
    const unknown = [...classes.keys()].slice(known);
    if (unknown.length > 0) {
      throw new TilthError(`${testFile} has classes that ${trainFile} has not: ${unknown.slice(0, 5).join(", ")}`, {
        remedy: "Give files with the same classes.",
      });
    }
    const limit = input.number("limit", { minimum: 1, whole: true }) ?? test.texts.length;
    const progress = progressLine();
    const result = await runJob(
      evaluateEfficiencyJob,
      {
        checkpoint,
        train,
        test: { texts: test.texts.slice(0, limit), labels: test.labels.slice(0, limit) },
        counts: countsOf(input.text("labels")!),
        draws: input.number("draws", { minimum: 1, maximum: 1000, whole: true })!,
        seed: input.number("seed", { minimum: 0, whole: true })!,
        pooling: input.choice("pooling", poolings)!,
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    keepEvaluation(
      checkpoint,
      { name: "label efficiency", settings: { train: trainFile, test: testFile }, result },
      say,
    );
    const plot = input.text("plot");
    if (plot !== undefined) writeFileAtomically(plot, await efficiencyPlot(result));
    process.stdout.write(input.flag("json") ? `${JSON.stringify(result)}\n` : describe(result));
  },
};

function labelled(
  rows: readonly unknown[],
  file: string,
  input: CommandInput,
  classes: Map<string, number>,
): LabelledTexts {
  const parsed = labelledTexts(rows, file, { text: input.text("text")!, label: input.text("label")! });
  for (const one of parsed) if (!classes.has(one.label)) classes.set(one.label, classes.size);
  return { texts: parsed.map((one) => one.text), labels: Int32Array.from(parsed, (one) => classes.get(one.label)!) };
}

function countsOf(text: string): number[] {
  const counts = text.split(",").map(Number);
  if (counts.every((one, index) => Number.isInteger(one) && one >= 2 && (index === 0 || one > counts[index - 1])))
    return counts;
  throw new UsageError(`--labels is "${text}", expected rising whole numbers from 2, such as 10,30,100`);
}

function describe({ classes, chance, pretrained, random, saved }: SampleEfficiency): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const estimate = ({ value, interval: [low, high] }: EfficiencyCurve[number]) =>
    `${percent(value).padStart(7)} (${percent(low)} to ${percent(high)})`.padEnd(28);
  return [
    `${classes} classes; always naming the most frequent one is right in ${percent(chance)}`,
    `${"labels".padStart(8)}   ${"checkpoint".padEnd(28)}${"random weights".padEnd(28)}random weights need`,
    ...pretrained.map((point, index) => {
      const { needed } = saved[index];
      const need = needed === null ? `more than ${random.at(-1)!.labels}` : `${Math.round(needed)}`;
      return `${String(point.labels).padStart(8)}   ${estimate(point)}${estimate(random[index])}${need}`;
    }),
    "",
  ].join("\n");
}

function efficiencyPlot({ pretrained, random, chance }: SampleEfficiency): Promise<string> {
  const points = [
    ...pretrained.map((one) => ({ ...one, model: "checkpoint" })),
    ...random.map((one) => ({ ...one, model: "random weights" })),
  ].map(({ interval: [low, high], ...one }) => ({ ...one, low, high }));
  const last = points.filter(({ labels }) => labels === pretrained.at(-1)!.labels);
  return plotSvg("Accuracy by number of labels: the checkpoint, and random weights", (plot) => ({
    width: 640,
    height: 360,
    marginRight: 110,
    x: { type: "log", label: "labels", ticks: pretrained.map(({ labels }) => labels), tickFormat: "d" },
    y: { label: "accuracy", grid: true, zero: true },
    marks: [
      plot.ruleY([chance], { strokeDasharray: "3,3" }),
      plot.areaY(points, { x: "labels", y1: "low", y2: "high", fill: "model", fillOpacity: 0.2 }),
      plot.line(points, { x: "labels", y: "value", stroke: "model", marker: "dot" }),
      plot.text(last, { x: "labels", y: "value", text: "model", fill: "model", textAnchor: "start", dx: 8 }),
    ],
  }));
}
