/** `tilth eval --task`: a task's questions on one checkpoint, or on two for a paired comparison. */
import { comparePaired, type PairedComparison, type TaskResult, taskNamed, tasks } from "../evaluation/index.ts";
import { UsageError } from "../foundation/index.ts";
import { evaluateTaskJob, runJob } from "../jobs/index.ts";
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
  unconditional: { describe: "also judge by the likelihood that the question adds" },
  against: { describe: "another checkpoint on the same questions, with a paired test", placeholder: "folder" },
  items: { describe: "print every question's likelihoods in the JSON too" },
};

/** Runs the task and prints its accuracies. */
export async function evaluateTask(checkpoint: string, input: CommandInput): Promise<void> {
  const task = taskNamed(input.text("task")!);
  const files = input.list("data");
  if (files.length === 0) {
    throw new UsageError(`the task "${task.name}" needs its questions`, { remedy: "Give --data <file>." });
  }
  const signal = interruptSignal("stopping");
  const run = async (folder: string): Promise<TaskResult> => {
    const progress = progressLine();
    const result = await runJob(
      evaluateTaskJob,
      {
        checkpoint: folder,
        task: task.name,
        files,
        examples: input.text("examples"),
        shots: input.number("shots", { minimum: 0, maximum: 100, whole: true }) ?? 0,
        seed: input.number("seed", { minimum: 0, whole: true }) ?? 1,
        limit: input.number("limit", { minimum: 1, whole: true }),
        unconditional: input.flag("unconditional"),
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal },
    );
    progress.end();
    return result;
  };
  const result = await run(checkpoint);
  const against = input.text("against");
  const other = against === undefined ? undefined : await run(against);
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

function describe(result: TaskResult, licence: string, comparison: PairedComparison | undefined): string {
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
