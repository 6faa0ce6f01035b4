/** `tilth eval --task`: a task's questions on one checkpoint, or on two for a paired comparison. */
import {
  comparePaired,
  type PairedComparison,
  type TaskDefinition,
  type TaskResult,
  taskNamed,
  tasks,
} from "../evaluation/index.ts";
import { type Estimate, UsageError } from "../foundation/index.ts";
import { evaluateTaskJob, runJob, type TaskContamination } from "../jobs/index.ts";
import type { CommandInput, OptionDefinition } from "./command.ts";
import { interruptSignal, progressLine } from "./terminal.ts";

export const taskOptions: Readonly<Record<string, OptionDefinition>> = {
  task: { describe: `layout of the questions: ${[...tasks.keys()].join(", ")}`, placeholder: "name" },
  data: {
    describe: "file of questions, JSONL or Parquet; may be given several times",
    placeholder: "file",
    multiple: true,
  },
  shots: { describe: "solved examples before each question", placeholder: "count", initial: "0" },
  examples: { describe: "file that the examples come from; the questions' own if left out", placeholder: "file" },
  seed: { describe: "of the examples and intervals", placeholder: "number", initial: "1" },
  limit: { describe: "questions of each file", placeholder: "count" },
  contamination: {
    describe: "a corpus: which questions it holds, and the scores of those that it holds and of the others",
    placeholder: "folder",
  },
  unconditional: { describe: "also judge by the likelihood that the question adds" },
  against: { describe: "another checkpoint on the same questions, with a paired test", placeholder: "folder" },
  items: { describe: "print every question's likelihoods in the JSON too" },
};

/** The task's questions on one checkpoint, as the options say. */
export async function runTaskOn(
  checkpoint: string,
  task: TaskDefinition,
  input: CommandInput,
): Promise<TaskResult & { contamination?: TaskContamination }> {
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
      unconditional: input.flag("unconditional"),
      contaminationStore: input.text("contamination"),
      device: { backend: input.text("backend") ?? "auto" },
    },
    { onEvent: progress.update, signal: interruptSignal("stopping") },
  );
  progress.end();
  return result;
}

/** Runs the task and prints its accuracies. */
export async function evaluateTask(checkpoint: string, input: CommandInput): Promise<void> {
  const task = taskNamed(input.text("task")!);
  const result = await runTaskOn(checkpoint, task, input);
  const against = input.text("against");
  const other = against === undefined ? undefined : await runTaskOn(against, task, input);
  const rights = ({ results }: TaskResult) => results.map(({ right }) => right.accuracy ?? 0);
  const comparison = other && comparePaired(rights(other), rights(result));
  if (input.flag("json")) {
    const shown = ({ results, ...rest }: TaskResult) => (input.flag("items") ? { ...rest, results } : rest);
    const paired = other && { against: shown(other), comparison };
    process.stdout.write(`${JSON.stringify({ ...shown(result), licence: task.licence, ...paired })}\n`);
    return;
  }
  process.stdout.write(describe(result, task.licence, comparison));
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

function describe(
  result: TaskResult & { contamination?: TaskContamination },
  licence: string,
  comparison: PairedComparison | undefined,
): string {
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
      : [`${"perplexity".padEnd(24)} ${result.perplexity.toFixed(3)} an answer`]),
    ...(result.chance === 0 ? [] : [`${"chance".padEnd(24)} ${percent(result.chance)}`]),
    ...(Object.keys(result.groups).length < 2
      ? []
      : ["", ...Object.entries(result.groups).map(([group, estimate]) => line(group, estimate))]),
    ...(result.contamination === undefined ? [] : ["", ...describeContamination(result.contamination, line)]),
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
