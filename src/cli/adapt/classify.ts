import { describeReport, textTasks } from "../../adaptation/index.ts";
import { UsageError } from "../../foundation/index.ts";
import { type AdaptCommonInput, adaptClassifyJob, classificationRates, runJob } from "../../jobs/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { interruptSignal } from "../terminal.ts";
import { commonInput, commonOptions, watchAdaptation } from "./options.ts";

/** `tilth adapt classify` */
export const classify: Command = {
  summary: "fine-tune a checkpoint with a head that names classes of texts, words or pictures",
  usage: "<checkpoint folder> --train <file> --output <folder> [options]",
  options: {
    train: { describe: "labelled texts (JSONL, CSV, Parquet) or a set of pictures with classes", placeholder: "file" },
    validation: { describe: "examples that watch it (default a share of --train)", placeholder: "file" },
    test: { describe: "examples for the figures in the end", placeholder: "file" },
    task: {
      describe: "sequence, token (lists of words and labels) or image",
      placeholder: "name",
      initial: "sequence",
    },
    text: { describe: "field of the text (of the words)", placeholder: "name", initial: "text" },
    label: { describe: "field of the class (of the words' classes)", placeholder: "name", initial: "label" },
    group: { describe: "field that results are told apart by", placeholder: "name" },
    classes: { describe: "the classes, if not those of --train", placeholder: "name,name,…" },
    labels: { describe: "take so many training examples, as many of every class as that allows", placeholder: "count" },
    "validation-share": { describe: "share of --train that is held out", placeholder: "share", initial: "0.2" },
    "head-learning-rate-factor": {
      describe: "the new head learns so many times as fast as the model (default 10 for encoders, else 1)",
      placeholder: "number",
    },
    "from-scratch": { describe: "random weights instead of the checkpoint's, to compare" },
    ...commonOptions,
    "learning-rate": {
      describe:
        "highest learning rate of the model (default 2e-4 for encoders, 1e-3 for decoders and --from-scratch, 2e-3 with --lora); large models want a tenth",
      placeholder: "number",
    },
  },
  examples: [
    "tilth adapt classify checkpoint --train train.csv --test test.csv --label category --output intents",
    "tilth adapt classify checkpoint --train train.csv --lora --rank 8 --output intents-lora",
    "tilth adapt classify clip --task image --train photos/train --test photos/validation --output garments",
  ],
  async run(input) {
    const train = input.text("train");
    if (train === undefined) throw new UsageError("--train is needed", { remedy: "See: tilth adapt classify --help" });
    const [validation, test, group, classes] = ["validation", "test", "group", "classes"].map((name) =>
      input.text(name),
    );
    const watch = watchAdaptation();
    const { report, output } = await runJob(
      adaptClassifyJob,
      {
        ...withHead(commonInput(input), input),
        train,
        ...(validation !== undefined && { validation }),
        ...(test !== undefined && { test }),
        what: input.choice("task", [...textTasks, "image"])!,
        fields: { text: input.text("text")!, label: input.text("label")!, ...(group !== undefined && { group }) },
        ...(classes !== undefined && { classes: classes.split(",").map((name) => name.trim()) }),
        labels: input.number("labels", { minimum: 2, whole: true }),
        validationShare: input.number("validation-share", { minimum: 0.01, maximum: 0.9 })!,
        fromScratch: input.flag("from-scratch"),
      },
      { onEvent: watch.listen, signal: interruptSignal("stopping") },
    );
    watch.end();
    if (input.flag("json")) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
      return;
    }
    const { accuracy, macroF1, byClass, byGroup } = (report.test ?? report.validation)!;
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const weakest = byClass.filter(({ examples }) => examples > 0).sort((a, b) => a.recall - b.recall);
    process.stdout.write(
      [
        ...describeReport(report),
        "",
        `${report.test ? "Test" : "Validation"}: accuracy ${percent(accuracy.value)} (95 %: ${accuracy.interval.map(percent).join(" to ")}), macro F1 ${percent(macroF1)}`,
        `weakest classes: ${weakest
          .slice(0, 3)
          .map(({ name, recall, examples }) => `${name} ${percent(recall)} of ${examples}`)
          .join(", ")}`,
        ...byGroup.map(({ name, accuracy: one, examples }) => `group ${name}: ${percent(one.value)} of ${examples}`),
        `Written: ${output} (adaptation.json has all figures)`,
        "",
      ].join("\n"),
    );
  },
};

/** The rates that suit the checkpoint's family, where none are asked for. */
function withHead(common: AdaptCommonInput, input: CommandInput): AdaptCommonInput {
  const { settings, checkpoint } = common;
  const wanted =
    settings.lora === undefined
      ? classificationRates(checkpoint, input.flag("from-scratch"))
      : { learningRate: settings.learningRate, headLearningRateFactor: 1 };
  const learningRate = input.number("learning-rate", { minimum: 0 }) ?? wanted.learningRate;
  const factor = input.number("head-learning-rate-factor", { minimum: 1e-6 }) ?? wanted.headLearningRateFactor;
  return { ...common, settings: { ...settings, learningRate, headLearningRateFactor: factor } };
}
