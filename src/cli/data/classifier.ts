import { basename, extname, resolve } from "node:path";
import {
  type ClassifierEvaluation,
  classifierSettings,
  evaluateScores,
  type LabelledText,
  readClassifier,
  sourceTexts,
  trainClassifier,
  writeClassifier,
} from "../../corpus/index.ts";
import { parseSettings, UsageError } from "../../foundation/index.ts";
import { writeRecord } from "../../lineage/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { requireReplaceable } from "../questions.ts";
import { interruptSignal, progressLine } from "../terminal.ts";
import { namedSource, readerNames } from "./sources.ts";

const actions: Readonly<Record<string, (input: CommandInput, file: string | undefined) => Promise<void>>> = {
  train,
  apply,
  evaluate,
};

/** `tilth data classifier train|apply|evaluate` */
export const classifier: Command = {
  summary: "train a classifier of documents (quality, domain, toxicity), apply it, measure it",
  usage: "train|apply|evaluate [file] --positive <source> … --negative <source> … [options]",
  options: {
    positive: {
      describe: `documents of the class, <reader>:<path> (repeatable): ${readerNames.join(", ")}`,
      placeholder: "source",
      multiple: true,
    },
    negative: { describe: "documents that are not of it (repeatable)", placeholder: "source", multiple: true },
    read: { describe: "apply: documents to score (repeatable)", placeholder: "source", multiple: true },
    out: { describe: "train: the file to write", placeholder: "file" },
    replace: { describe: "train: replace what is at --out" },
    set: {
      describe: `train: a setting (repeatable): ${Object.keys(classifierSettings.shape).join(", ")}`,
      placeholder: "name=value",
      multiple: true,
    },
    threshold: { describe: "evaluate: scores from here on count as positive", placeholder: "number", initial: "0.5" },
    json: { describe: "print JSON" },
  },
  examples: [
    "tilth data classifier train --positive tree:peps --negative npm:node_modules --out prose.classifier",
    "tilth data classifier train --positive 'jsonl:pairs.jsonl?text=rejected' --negative 'jsonl:pairs.jsonl?text=chosen' --out toxic.classifier",
    "tilth data classifier apply prose.classifier --read folder:notes",
    "tilth data classifier evaluate prose.classifier --positive folder:good --negative folder:bad",
  ],
  async run(input) {
    const [action = "", file] = input.positionals;
    if (!Object.hasOwn(actions, action)) {
      throw new UsageError(`tilth data classifier ${action}: expected ${Object.keys(actions).join(", ")}`, {
        remedy: "See: tilth data classifier --help",
      });
    }
    await actions[action](input, file);
  },
};

async function train(input: CommandInput): Promise<void> {
  const out = input.text("out");
  if (out === undefined) throw new UsageError("where should the classifier go? Give --out <file>");
  await requireReplaceable(input, out, "a classifier");
  const settings = parseSettings(
    classifierSettings,
    Object.fromEntries(input.list("set").map(setting)),
    "the settings",
  );
  const trained = await trainClassifier(labelled(input), settings);
  const { weights, bias, trainedOn, heldOut } = trained;
  const name = basename(out, extname(out));
  writeClassifier(out, { name, settings, bias, trainedOn, heldOut }, weights);
  await writeRecord(out, {
    ...{ kind: "classifier", command: "data classifier train", details: { settings, trainedOn } },
    used: (["positive", "negative"] as const).flatMap((role) =>
      input.list(role).map((one) => ({ role, kind: "data" as const, path: resolve(namedSource(one).path) })),
    ),
  });
  process.stdout.write(
    input.flag("json")
      ? `${JSON.stringify({ file: out, trainedOn, heldOut })}\n`
      : `Trained on ${trainedOn.positives} positive and ${trainedOn.negatives} negative documents: ${out}\n${renderEvaluation(heldOut)}`,
  );
}

async function apply(input: CommandInput, file: string | undefined): Promise<void> {
  const model = readClassifier(required(file));
  const sources = input.list("read").map(namedSource);
  if (sources.length === 0) throw new UsageError("nothing to score: give --read <reader>:<path>");
  for await (const { source, path, text } of sourceTexts(sources, { signal: interruptSignal("stopping") })) {
    const score = model.score(text);
    process.stdout.write(
      input.flag("json") ? `${JSON.stringify({ source, path, score })}\n` : `${score.toFixed(4)}  ${source} ${path}\n`,
    );
  }
}

async function evaluate(input: CommandInput, file: string | undefined): Promise<void> {
  const model = readClassifier(required(file));
  const scores: number[] = [];
  const positive: boolean[] = [];
  for await (const one of labelled(input)) {
    scores.push(model.score(one.text));
    positive.push(one.positive);
  }
  const threshold = input.number("threshold", { minimum: 0, maximum: 1 });
  const evaluation = evaluateScores(scores, positive, { threshold });
  process.stdout.write(input.flag("json") ? `${JSON.stringify(evaluation)}\n` : renderEvaluation(evaluation));
}

async function* labelled(input: CommandInput): AsyncGenerator<LabelledText> {
  const progress = progressLine();
  const signal = interruptSignal("stopping");
  let done = 0;
  for (const name of ["positive", "negative"] as const) {
    const sources = input.list(name).map(namedSource);
    if (sources.length === 0) throw new UsageError(`no ${name} documents: give --${name} <reader>:<path>`);
    for await (const { text } of sourceTexts(sources, { signal })) {
      yield { text, positive: name === "positive" };
      progress.update({ stage: `reading the ${name} documents`, done: ++done, unit: "documents" });
    }
  }
  progress.end();
}

function setting(text: string): [name: string, value: number] {
  const at = text.indexOf("=");
  if (at <= 0) throw new UsageError(`--set "${text}" is not of the form name=value, e.g. epochs=10`);
  return [text.slice(0, at), Number(text.slice(at + 1))];
}

function required(file: string | undefined): string {
  if (file === undefined) throw new UsageError("which classifier? Give the file that train wrote");
  return file;
}

function renderEvaluation(evaluation: ClassifierEvaluation): string {
  const { positives, negatives, threshold } = evaluation;
  const line = (name: string, { value, low, high }: ClassifierEvaluation["auc"]) =>
    `  ${name.padEnd(10)} ${value.toFixed(4)}   95 % interval ${low.toFixed(4)}–${high.toFixed(4)}\n`;
  return `Held-out ${positives} positive and ${negatives} negative documents, threshold ${threshold}\n${line("precision", evaluation.precision)}${line("recall", evaluation.recall)}${line("F1", evaluation.f1)}${line("AUC", evaluation.auc)}`;
}
