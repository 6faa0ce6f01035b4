/** A task on a model: prompts with examples before them, likelihoods, accuracies with intervals. */
import type { Engine } from "../../engine/index.ts";
import { bootstrapMean, type Estimate, type ProgressListener, Random, UsageError } from "../../foundation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import type { Choice, TaskDefinition, TaskItem } from "./item.ts";
import { type ContinuationScore, scoreContinuations, type TaskTokenizer } from "./likelihood.ts";

export interface TaskOptions {
  /** Solved examples before each question. */
  readonly shots: number;
  /** Chooses the examples; the same for every checkpoint, so that results pair. */
  readonly seed: number;
  /** Questions that examples are taken from; the task's own others if left out. */
  readonly examples?: readonly TaskItem[];
  /** Also score each choice without its question, to take away how likely the words are anyway. */
  readonly unconditional?: boolean;
  readonly onProgress?: ProgressListener;
}

/** One question's result. */
export interface ItemResult {
  readonly group?: string;
  readonly answer: number;
  /** By choice, natural logs. */
  readonly logLikelihoods: readonly number[];
  /** 1 where right, by metric. */
  readonly right: Readonly<Record<Metric, number | undefined>>;
}

/** How the answer is chosen: by likelihood, by likelihood a character, by likelihood gained through the question. */
export type Metric = "accuracy" | "accuracyNormalized" | "accuracyUnconditional";

export interface TaskResult {
  readonly task: string;
  readonly items: number;
  readonly shots: number;
  readonly metrics: Partial<Record<Metric, Estimate>>;
  /** `cloze` tasks: exp of the mean loss of an answer, in nats. */
  readonly perplexity?: number;
  /** What guessing gives. */
  readonly chance: number;
  /** Accuracy of each group, where the task has groups. */
  readonly groups: Readonly<Record<string, Estimate>>;
  readonly results: readonly ItemResult[];
}

/** Runs a task. Throws UsageError where there are not enough questions to take examples from. */
export async function runTask(
  engine: Engine,
  model: LanguageModel,
  tokenizer: TaskTokenizer,
  task: TaskDefinition,
  items: readonly TaskItem[],
  options: TaskOptions,
): Promise<TaskResult> {
  const prompted = items.flatMap((item, index) => {
    const before = examplesFor(index, items, options);
    return item.choices.map((choice) => ({ ...choice, context: before + choice.context }));
  });
  const { onProgress } = options;
  const greedy = task.kind === "cloze";
  const scores = await scoreContinuations(engine, model, tokenizer, prompted, { greedy, onProgress });
  const alone =
    options.unconditional === true && !greedy
      ? await scoreContinuations(
          engine,
          model,
          tokenizer,
          items.flatMap(({ choices }) => choices.map(unprompted)),
          { onProgress },
        )
      : undefined;
  let first = 0;
  const results = items.map((item): ItemResult => {
    const [from, to] = [first, first + item.choices.length];
    first = to;
    return judge(item, scores.slice(from, to), alone?.slice(from, to));
  });
  const groups = [...new Set(results.flatMap(({ group }) => (group === undefined ? [] : [group])))].sort();
  const likelihoods = results.map(({ logLikelihoods: [one] }) => one);
  return {
    task: task.name,
    items: items.length,
    shots: options.shots,
    metrics: metricsOf(results, options.seed),
    ...(greedy ? { perplexity: Math.exp(-likelihoods.reduce((sum, one) => sum + one, 0) / items.length) } : {}),
    chance: greedy ? 0 : items.reduce((sum, { choices }) => sum + 1 / choices.length, 0) / items.length,
    groups: Object.fromEntries(
      groups.map((group) => [
        group,
        metricsOf(
          results.filter((one) => one.group === group),
          options.seed,
        ).accuracy!,
      ]),
    ),
    results,
  };
}

const unprompted = (choice: Choice): Choice => ({ ...choice, context: "" });

/** Examples before a question: others than itself, chosen by (seed, its index), separated by empty lines. */
function examplesFor(index: number, items: readonly TaskItem[], { shots, seed, examples }: TaskOptions): string {
  if (shots === 0) return "";
  const pool = examples ?? items.filter((_, other) => other !== index);
  if (pool.length < shots) {
    throw new UsageError(
      `${shots} examples are asked for, but there are only ${pool.length} questions to take them from`,
      {
        remedy: "Lower --shots or give --examples with more questions.",
      },
    );
  }
  const random = new Random(seed, 0xf05, index);
  const left = [...pool];
  const chosen = Array.from({ length: shots }, () => left.splice(random.below(left.length), 1)[0].example);
  return `${chosen.join("\n\n")}\n\n`;
}

function judge(
  item: TaskItem,
  scores: readonly ContinuationScore[],
  alone: readonly ContinuationScore[] | undefined,
): ItemResult {
  const logLikelihoods = scores.map(({ logLikelihood }) => logLikelihood);
  const right = (values: readonly number[]) => Number(values.indexOf(Math.max(...values)) === item.answer);
  const cloze = scores[0].greedy;
  return {
    ...(item.group === undefined ? {} : { group: item.group }),
    answer: item.answer,
    logLikelihoods,
    right: {
      accuracy: cloze === undefined ? right(logLikelihoods) : Number(cloze),
      accuracyNormalized:
        cloze === undefined ? right(logLikelihoods.map((one, i) => one / item.choices[i].text.length)) : undefined,
      accuracyUnconditional: alone && right(logLikelihoods.map((one, i) => one - alone[i].logLikelihood)),
    },
  };
}

function metricsOf(results: readonly ItemResult[], seed: number): Partial<Record<Metric, Estimate>> {
  const metrics: Partial<Record<Metric, Estimate>> = {};
  for (const metric of ["accuracy", "accuracyNormalized", "accuracyUnconditional"] as const) {
    const values = results.flatMap(({ right }) => right[metric] ?? []);
    if (values.length > 0) metrics[metric] = bootstrapMean(values, seed);
  }
  return metrics;
}
