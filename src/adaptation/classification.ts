/** Learning classes: batches, loss, predictions and figures by class and by group, whatever is classified. */
import { type Engine, headCrossEntropy, headCrossEntropyWithBias } from "../engine/index.ts";
import { bootstrapMean, type Estimate } from "../foundation/index.ts";
import { likeliestTokens } from "../objectives/index.ts";
import type { AdaptationFigures } from "./guards/index.ts";
import type { ClassLogits } from "./heads/index.ts";
import type { AdaptationTask } from "./loop.ts";

/** Examples that a model with a head can be run on. */
export interface ClassifiableExamples {
  /** Rows with a class that each example has: 1 for a text or picture, several for words. */
  readonly labels: readonly Int32Array[];
  readonly groups?: readonly string[];
  /** Logits of all labelled rows of those examples, in order; runs inside a scope. `key` decides dropout. */
  logits(engine: Engine, examples: readonly number[], key?: number): ClassLogits;
}

/** What a model says of examples. */
export interface ClassificationResult {
  readonly loss: number;
  readonly accuracy: Estimate;
  /** Mean over the classes of F1, the harmonic mean of precision and recall. */
  readonly macroF1: number;
  readonly byClass: readonly ClassFigures[];
  readonly byGroup: readonly { readonly name: string; readonly examples: number; readonly accuracy: Estimate }[];
}

/** One class on held-out examples. */
export interface ClassFigures {
  readonly name: string;
  readonly examples: number;
  /** How often the model says it. */
  readonly predicted: number;
  readonly recall: number;
  readonly precision: number;
}

const together = 32;
/** Held-out examples of a class, below which nothing is said of it. */
const fewest = 5;

function lossOf(engine: Engine, { hidden, weight, bias }: ClassLogits, targets: Int32Array, normalizer: number) {
  const options = { targets: engine.constant(targets), normalizer };
  return bias === undefined
    ? engine.run(headCrossEntropy, { x: hidden, weight }, options).loss
    : engine.run(headCrossEntropyWithBias, { x: hidden, weight, bias }, options).loss;
}

function targetsOf({ labels }: ClassifiableExamples, examples: readonly number[]): Int32Array {
  return Int32Array.from(examples.flatMap((index) => [...labels[index]]));
}

/** Loss (nats a label) and predicted classes of those examples. */
async function predict(engine: Engine, given: ClassifiableExamples, examples: readonly number[]) {
  const predictions: number[] = [];
  let loss = 0;
  for (let first = 0; first < examples.length; first += together) {
    const some = examples.slice(first, first + together);
    await engine.scope({ record: false }, async () => {
      const logits = given.logits(engine, some);
      loss += await engine.scalar(lossOf(engine, logits, targetsOf(given, some), 1));
      const { hidden, weight: head, bias: headBias } = logits;
      predictions.push(...(await likeliestTokens(engine, { hidden, head, ...(headBias && { headBias }) })));
    });
  }
  return { loss: loss / predictions.length, predictions: Int32Array.from(predictions) };
}

/** All that is reported of held-out examples. */
export async function evaluateClasses(
  engine: Engine,
  given: ClassifiableExamples,
  examples: readonly number[],
  classes: readonly string[],
): Promise<ClassificationResult> {
  const { loss, predictions } = await predict(engine, given, examples);
  const targets = targetsOf(given, examples);
  const right = Array.from(predictions, (one, row) => Number(one === targets[row]));
  const groupOfRow = examples.flatMap((index) => Array.from(given.labels[index], () => given.groups?.[index]));
  const groups = [...new Set(groupOfRow)].filter((name) => name !== undefined).sort();
  const byClass = classes.map((name, index) => {
    const count = targets.filter((one) => one === index).length;
    const said = predictions.filter((one) => one === index).length;
    const both = right.filter((one, row) => one === 1 && targets[row] === index).length;
    return {
      ...{ name, examples: count, predicted: said },
      ...{ recall: count === 0 ? 0 : both / count, precision: said === 0 ? 0 : both / said },
    };
  });
  const seen = byClass.filter((one) => one.examples > 0);
  const f1 = ({ recall, precision }: ClassFigures) =>
    recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision);
  return {
    loss,
    accuracy: bootstrapMean(right),
    macroF1: seen.reduce((sum, one) => sum + f1(one), 0) / seen.length,
    byClass,
    byGroup: groups.map((name) => {
      const own = right.filter((_, row) => groupOfRow[row] === name);
      return { name, examples: own.length, accuracy: bootstrapMean(own) };
    }),
  };
}

/** The largest difference between two groups whose intervals do not touch. */
export function groupGapOf({ byGroup }: Pick<ClassificationResult, "byGroup">): number | undefined {
  if (byGroup.length < 2) return undefined;
  const gaps = byGroup.flatMap(({ accuracy: a }) =>
    byGroup.map(({ accuracy: b }) => (a.interval[0] > b.interval[1] ? a.value - b.value : 0)),
  );
  return Math.max(0, ...gaps);
}

/** The task of the loop. `extra` measures what depends on the kind of model, such as the loss on general text. */
export function classificationTask(
  engine: Engine,
  train: ClassifiableExamples,
  validation: ClassifiableExamples,
  classes: readonly string[],
  options: {
    readonly trainedOn: readonly number[];
    readonly validatedOn: readonly number[];
    extra(): Promise<AdaptationFigures>;
  },
): AdaptationTask {
  // As many training examples as validation has, so that both losses are as exact.
  const probe = options.trainedOn.slice(0, Math.max(32, Math.min(options.validatedOn.length, 256)));
  return {
    examples: options.trainedOn.length,
    gradients(examples, key) {
      const some = examples.map((index) => options.trainedOn[index]);
      const targets = targetsOf(train, some);
      return engine.scope({ record: true }, async () => {
        const loss = lossOf(engine, train.logits(engine, some, key), targets, targets.length);
        engine.backward(loss);
        return engine.scalar(loss);
      });
    },
    async validate() {
      const { loss: trainLoss } = await predict(engine, train, probe);
      const held = await evaluateClasses(engine, validation, options.validatedOn, classes);
      const seen = held.byClass.filter((one) => one.examples >= fewest);
      const never = seen.filter((one) => one.predicted === 0).length;
      return {
        trainLoss,
        validationLoss: held.loss,
        ...(seen.length > 0 && { neverPredictedShare: never / seen.length }),
        groupGap: groupGapOf(held),
        ...(await options.extra()),
      };
    },
  };
}
