/** `tilth eval --task`: a task's questions on one checkpoint, or on two for a paired comparison. */
import { renderCoverage } from "../corpus/index.ts";
import {
  comparePaired,
  exampleChoices,
  type GenerationSettings,
  maskings,
  type PairedComparison,
  rightsOf,
  type TaskDefinition,
  type TaskResult,
  taskNamed,
  tasks,
} from "../evaluation/index.ts";
import { type Estimate, messageOf, UsageError } from "../foundation/index.ts";
import {
  type EvaluateTaskOutput,
  evaluateTaskJob,
  keepEvaluation,
  runJob,
  type TaskContamination,
} from "../jobs/index.ts";
import type { CommandInput, OptionDefinition } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

export const taskOptions: Readonly<Record<string, OptionDefinition>> = {
  task: { describe: `layout of the questions: ${[...tasks.keys()].join(", ")}`, placeholder: "name" },
  data: {
    describe: "file of questions, JSONL or Parquet; may be given several times",
    placeholder: "file",
    multiple: true,
  },
  shots: { describe: "solved examples before each question", placeholder: "count", initial: "0" },
  examples: { describe: "file that the examples come from; the questions' own if left out", placeholder: "file" },
  "example-choice": {
    describe: "seeded: drawn anew for each question; first: the file's first ones",
    placeholder: "name",
    initial: "seeded",
  },
  seed: { describe: "of the examples and intervals", placeholder: "number", initial: "1" },
  limit: { describe: "questions of each file", placeholder: "count" },
  contamination: {
    describe: "a corpus: which questions it holds, and the scores of those that it holds and of the others",
    placeholder: "folder",
  },
  coverage: {
    describe: "a corpus: how much of the questions' words, n-grams and topics its training documents hold",
    placeholder: "folder",
  },
  until: { describe: "text that ends a written answer; may be repeated", placeholder: "text", multiple: true },
  "maximum-tokens": { describe: "of a written answer", placeholder: "tokens" },
  "ignore-case": { describe: "written answers are right in any case of letters" },
  "ignore-punctuation": { describe: "written answers are compared without punctuation" },
  ignore: {
    describe: "regular expression whose matches do not count in written answers; may be repeated",
    placeholder: "pattern",
    multiple: true,
  },
  masking: {
    describe: "how an encoder's pseudo-likelihood hides a token: token: alone; word: with the later pieces of its word",
    placeholder: "name",
    initial: "token",
  },
  licence: { describe: "of the questions, where it is not that of the task's own set", placeholder: "SPDX" },
  "no-cache": { describe: "compute all answers, and keep none" },
  unconditional: { describe: "also judge by the likelihood that the question adds" },
  against: { describe: "another checkpoint on the same questions, with a paired test", placeholder: "folder" },
  items: { describe: "print every question's likelihoods in the JSON too" },
};

/** The task's questions on one checkpoint, as the options say. */
export async function runTaskOn(
  checkpoint: string,
  task: TaskDefinition,
  input: CommandInput,
): Promise<EvaluateTaskOutput> {
  const files = input.list("data");
  if (files.length === 0) {
    throw new UsageError(`the task "${task.name}" needs its questions`, { remedy: "Give --data <file>." });
  }
  const progress = progressLine();
  const result = await runJob(
    evaluateTaskJob,
    {
      checkpoint,
      task: task.name,
      files,
      examples: input.text("examples"),
      shots: input.number("shots", { minimum: 0, maximum: 100, whole: true }) ?? 0,
      seed: input.number("seed", { minimum: 0, whole: true }) ?? 1,
      limit: input.number("limit", { minimum: 1, whole: true }),
      exampleChoice: input.choice("example-choice", exampleChoices),
      generation: generationSettings(input),
      masking: input.choice("masking", maskings),
      cache: !input.flag("no-cache"),
      unconditional: input.flag("unconditional"),
      contaminationStore: input.text("contamination"),
      coverageStore: input.text("coverage"),
      device: { backend: input.text("backend") ?? "auto" },
    },
    {
      onEvent: (event) => ("warning" in event ? say(`tilth: ${event.warning}`) : progress.update(event)),
      signal: interruptSignal("stopping"),
    },
  );
  progress.end();
  const { results: _, ...figures } = result;
  const settings = { data: files, shots: result.shots, limit: input.number("limit") ?? null };
  keepEvaluation(checkpoint, { name: `task ${task.name}`, settings, result: figures }, say);
  return result;
}

/** What the options say of written answers. */
function generationSettings(input: CommandInput): Partial<GenerationSettings> {
  const [until, patterns] = [input.list("until"), input.list("ignore")];
  const maximumTokens = input.number("maximum-tokens", { minimum: 1, whole: true });
  return {
    ...(until.length > 0 && { until }),
    ...(maximumTokens !== undefined && { maximumTokens }),
    ...(input.flag("ignore-case") && { ignoreCase: true }),
    ...(input.flag("ignore-punctuation") && { ignorePunctuation: true }),
    ...(patterns.length > 0 && { ignoredPatterns: patterns.map(patternOf) }),
  };
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    throw new UsageError(`--ignore is "${text}": ${messageOf(cause)}`, { cause });
  }
}

/** Runs the task and prints its accuracies. */
export async function evaluateTask(checkpoint: string, input: CommandInput): Promise<void> {
  const task = taskNamed(input.text("task")!);
  const result = await runTaskOn(checkpoint, task, input);
  const against = input.text("against");
  const other = against === undefined ? undefined : await runTaskOn(against, task, input);
  const comparison = other && comparePaired(rightsOf(other), rightsOf(result));
  const licence = input.text("licence") ?? task.licence;
  if (input.flag("json")) {
    const shown = ({ results, ...rest }: TaskResult) => (input.flag("items") ? { ...rest, results } : rest);
    const paired = other && { against: shown(other), comparison };
    process.stdout.write(`${JSON.stringify({ ...shown(result), licence, ...paired })}\n`);
    return;
  }
  process.stdout.write(describe(result, licence, comparison));
}

function describeContamination(
  { ngramWords, contaminated, clean, tooShort, spans }: TaskContamination,
  line: (name: string, estimate: Estimate) => string,
): string[] {
  const total = spans.length;
  return [
    `the corpus holds ${ngramWords}-grams of ${total} questions; ${tooShort} are too short to tell`,
    ...(contaminated === null ? [] : [line("accuracy on these", contaminated)]),
    ...(clean === null ? [] : [line("accuracy on the others", clean)]),
    ...spans
      .slice(0, 5)
      .map(
        ({ item, spans: [{ matched, document }] }) =>
          `  question ${item + 1}: "${matched.slice(0, 80)}" in document ${document}`,
      ),
  ];
}

function describe(result: EvaluateTaskOutput, licence: string, comparison: PairedComparison | undefined): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const line = (
    name: string,
    { value, interval: [low, high] }: { value: number; interval: readonly [number, number] },
  ) => `${name.padEnd(24)} ${percent(value)}   (95 %: ${percent(low)} to ${percent(high)})`;
  return [
    `${result.task}: ${result.items} questions, ${result.shots} examples before each; data licence ${licence}`,
    ...Object.entries(result.metrics).map(([metric, estimate]) => line(metric, estimate)),
    ...(result.perplexity === undefined
      ? []
      : [
          `${"perplexity".padEnd(24)} ${result.perplexity.value.toFixed(3)} an answer (95 %: ${result.perplexity.interval.map((one) => one.toFixed(3)).join(" to ")})`,
        ]),
    ...(result.chance === 0 ? [] : [`${"chance".padEnd(24)} ${percent(result.chance)}`]),
    ...(Object.keys(result.groups).length < 2
      ? []
      : ["", ...Object.entries(result.groups).map(([group, estimate]) => line(group, estimate))]),
    ...(result.contamination === undefined ? [] : ["", ...describeContamination(result.contamination, line)]),
    ...(result.coverage === undefined ? [] : ["", renderCoverage([result.coverage]).trimEnd()]),
    ...(comparison === undefined
      ? []
      : [
          "",
          line("more than the other", comparison.difference),
          `only this one right ${comparison.onlySecond}, only the other ${comparison.onlyFirst}; p = ${comparison.pValue.toPrecision(2)} (McNemar)`,
        ]),
    "",
  ].join("\n");
}
