/** A task on a model: prompts with examples before them, likelihoods or written answers, accuracies with intervals. */
import { bootstrapMean, type Estimate, Random, UsageError } from "../../foundation/index.ts";
import { extracted, isExactMatch } from "./exact-match.ts";
import type {
  Choice,
  ChoiceItem,
  GenerationItem,
  GenerationMetric,
  GenerationSettings,
  TaskDefinition,
  TaskItem,
} from "./item.ts";
import type { ContinuationScore } from "./likelihood.ts";
import type { Respondent } from "./respondent.ts";

/** Which examples stand before a question: drawn by the seed for each, or always the first of the file. */
export const exampleChoices = ["seeded", "first"] as const;

export interface TaskOptions {
  /** Solved examples before each question. */
  readonly shots: number;
  /** Chooses the examples; the same for every checkpoint, so that results pair. */
  readonly seed: number;
  /** Questions that examples are taken from; the task's own others if left out. */
  readonly examples?: readonly TaskItem[];
  /** `seeded` if left out. */
  readonly exampleChoice?: (typeof exampleChoices)[number];
  /** Also score each choice without its question, to take away how likely the words are anyway. */
  readonly unconditional?: boolean;
}

/** One question's result. */
export interface ItemResult {
  readonly group?: string;
  /** Of the choices, the right one's index; else the right answers. */
  readonly answer: number | readonly string[];
  /** By choice, natural logs; none where the answer was written. */
  readonly logLikelihoods: readonly number[];
  /** What was written. */
  readonly completion?: string;
  /** 1 where right, by metric. */
  readonly right: Readonly<Partial<Record<Metric, number>>>;
}

/** How the answer is chosen: by likelihood, by likelihood a character, by likelihood gained through the question; or written. */
export type Metric = "accuracy" | "accuracyNormalized" | "accuracyUnconditional" | GenerationMetric;

const metricNames: readonly Metric[] = [
  "accuracy",
  "accuracyNormalized",
  "accuracyUnconditional",
  "exactMatch",
  "exactMatchFlexible",
];

export interface TaskResult {
  readonly task: string;
  readonly items: number;
  readonly shots: number;
  /** The metric that groups, curves and comparisons are of. */
  readonly primary: Metric;
  readonly metrics: Partial<Record<Metric, Estimate>>;
  /** `cloze` tasks: exp of the mean loss of an answer, in nats. */
  readonly perplexity?: Estimate;
  /** What guessing gives. */
  readonly chance: number;
  /** The primary metric of each group, where the task has groups. */
  readonly groups: Readonly<Record<string, Estimate>>;
  readonly results: readonly ItemResult[];
}

/** By question, 1 where the primary metric counts it as right: what pairs two checkpoints. */
export function rightsOf({ primary, results }: Pick<TaskResult, "primary" | "results">): number[] {
  return results.map(({ right }) => right[primary] ?? 0);
}

/** Runs a task. Throws UsageError where there are not enough questions to take examples from. */
export async function runTask(
  respondent: Respondent,
  task: TaskDefinition,
  items: readonly TaskItem[],
  options: TaskOptions,
): Promise<TaskResult> {
  const before = items.map((_, index) => examplesFor(index, items, options));
  const results =
    task.kind === "generation"
      ? await writtenResults(respondent, task.generation, items as readonly GenerationItem[], before)
      : await chosenResults(respondent, task.kind === "cloze", items as readonly ChoiceItem[], before, options);
  const primary = task.kind === "generation" ? "exactMatch" : "accuracy";
  const { seed, shots } = options;
  const groups = [...new Set(results.flatMap(({ group }) => (group === undefined ? [] : [group])))].sort();
  return {
    task: task.name,
    items: items.length,
    shots,
    primary,
    metrics: Object.fromEntries(
      metricNames.flatMap((metric) => {
        const values = results.flatMap(({ right }) => right[metric] ?? []);
        return values.length === 0 ? [] : [[metric, bootstrapMean(values, seed)]];
      }),
    ),
    ...(task.kind === "cloze" ? { perplexity: perplexityOf(results, seed) } : {}),
    chance: task.kind === "choice" ? chanceOf(items as readonly ChoiceItem[]) : 0,
    groups: Object.fromEntries(
      groups.map((group) => {
        const own = results.filter((one) => one.group === group);
        return [group, bootstrapMean(rightsOf({ primary, results: own }), seed)];
      }),
    ),
    results,
  };
}

function chanceOf(items: readonly ChoiceItem[]): number {
  return items.reduce((sum, { choices }) => sum + 1 / choices.length, 0) / items.length;
}

/** exp of the mean loss; so is each end of its interval. */
function perplexityOf(results: readonly ItemResult[], seed: number): Estimate {
  const losses = results.map(({ logLikelihoods: [one] }) => -one);
  const { value, interval } = bootstrapMean(losses, seed);
  return { value: Math.exp(value), interval: [Math.exp(interval[0]), Math.exp(interval[1])] };
}

/** Examples before a question: others than itself, chosen by (seed, its index), separated by empty lines. */
function examplesFor(index: number, items: readonly TaskItem[], options: TaskOptions): string {
  const { shots, seed, examples, exampleChoice = "seeded" } = options;
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
  const chosen =
    exampleChoice === "first"
      ? pool.slice(0, shots)
      : Array.from({ length: shots }, () => left.splice(random.below(left.length), 1)[0]);
  return `${chosen.map(({ example }) => example).join("\n\n")}\n\n`;
}

async function writtenResults(
  respondent: Respondent,
  settings: GenerationSettings,
  items: readonly GenerationItem[],
  before: readonly string[],
): Promise<ItemResult[]> {
  const { until, maximumTokens } = settings;
  const contexts = items.map(({ context }, index) => before[index] + context);
  const completions = await respondent.completions(contexts, { until, maximumTokens });
  return items.map(({ answers, group }, index) => {
    const right: Partial<Record<Metric, number>> = {};
    for (const [metric, extraction] of Object.entries(settings.extractions)) {
      const answer = extracted(completions[index], extraction);
      right[metric as GenerationMetric] = Number(answer !== null && isExactMatch(answer, answers, settings));
    }
    return {
      ...(group === undefined ? {} : { group }),
      ...{ answer: answers, logLikelihoods: [], completion: completions[index], right },
    };
  });
}

async function chosenResults(
  respondent: Respondent,
  greedy: boolean,
  items: readonly ChoiceItem[],
  before: readonly string[],
  { unconditional }: TaskOptions,
): Promise<ItemResult[]> {
  const prompted = items.flatMap(({ choices }, index) =>
    choices.map((choice) => ({ ...choice, context: before[index] + choice.context })),
  );
  const unprompted = items.flatMap(({ choices }) => choices.map((choice): Choice => ({ ...choice, context: "" })));
  const scores = await respondent.likelihoods(prompted, { greedy });
  const alone =
    unconditional === true && !greedy ? await respondent.likelihoods(unprompted, { greedy: false }) : undefined;
  let first = 0;
  return items.map((item) => {
    const [from, to] = [first, first + item.choices.length];
    first = to;
    return judge(item, scores.slice(from, to), alone?.slice(from, to));
  });
}

function judge(
  { answer, choices, group }: ChoiceItem,
  scores: readonly ContinuationScore[],
  alone: readonly ContinuationScore[] | undefined,
): ItemResult {
  const logLikelihoods = scores.map(({ logLikelihood }) => logLikelihood);
  const right = (values: readonly number[]) => Number(values.indexOf(Math.max(...values)) === answer);
  const { greedy } = scores[0];
  return {
    ...(group === undefined ? {} : { group }),
    answer,
    logLikelihoods,
    right:
      greedy !== undefined
        ? { accuracy: Number(greedy) }
        : {
            accuracy: right(logLikelihoods),
            accuracyNormalized: right(logLikelihoods.map((one, i) => one / choices[i].text.length)),
            ...(alone && {
              accuracyUnconditional: right(logLikelihoods.map((one, i) => one - alone[i].logLikelihood)),
            }),
          },
  };
}
