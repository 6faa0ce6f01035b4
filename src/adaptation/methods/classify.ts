/** Classification: a head on a model, and what both learn from labelled examples. */
import type { Engine, ParameterArena } from "../../engine/index.ts";
import {
  type ClassifiableExamples,
  type ClassificationResult,
  classificationTask,
  evaluateClasses,
} from "../classification.ts";
import { type GuardResult, worst } from "../guards/index.ts";
import { type LoopHooks, type LoopResult, runAdaptation } from "../loop.ts";
import type { Trade } from "../report.ts";
import type { AdaptationSettings } from "../settings.ts";
import { lossTrade, watch } from "./watched.ts";

/** Examples of one part; `indices` of those that are used. */
export interface ExamplePart {
  readonly examples: ClassifiableExamples;
  readonly indices: readonly number[];
}

export interface ClassifyInput {
  readonly arenas: readonly ParameterArena[];
  readonly classes: readonly string[];
  readonly train: ExamplePart;
  readonly validation: ExamplePart;
  readonly test?: ExamplePart;
  /** Loss on general text, where it can be measured. */
  readonly generalLoss?: () => Promise<number>;
  readonly settings: AdaptationSettings;
}

/** What came of it; the model holds the best weights. */
export interface ClassifyResult {
  readonly loop: LoopResult;
  readonly validation: ClassificationResult;
  readonly test?: ClassificationResult;
  readonly guards: readonly GuardResult[];
  readonly trade: readonly Trade[];
}

export async function adaptToClasses(engine: Engine, input: ClassifyInput, hooks: LoopHooks): Promise<ClassifyResult> {
  const { arenas, classes, train, validation, test, generalLoss, settings } = input;
  const beside = await watch({ ...(generalLoss && { generalLoss }) });
  const task = classificationTask(engine, train.examples, validation.examples, classes, {
    trainedOn: train.indices,
    validatedOn: validation.indices,
    extra: beside.figures,
  });
  const loop = await runAdaptation(engine, arenas, task, settings, hooks);
  const held = await evaluateClasses(engine, validation.examples, validation.indices, classes);
  const tested = test && (await evaluateClasses(engine, test.examples, test.indices, classes));
  const first = loop.curve[0];
  const best = loop.curve.find(({ step }) => step === loop.bestStep)!;
  const most = majority(train, test ?? validation);
  return {
    loop,
    validation: held,
    ...(tested && { test: tested }),
    guards: worst(loop.guards),
    trade: [
      {
        name: `accuracy on ${tested ? "test" : "validation"} (before: the most frequent class)`,
        ...{ unit: "share", before: most, after: (tested ?? held).accuracy.value, better: "higher" },
      },
      ...lossTrade(first, best),
      ...(await beside.trade()),
    ],
  };
}

/** What always saying the most frequent class of the training examples gives. */
function majority(train: ExamplePart, held: ExamplePart): number {
  const labelsOf = ({ examples, indices }: ExamplePart) => indices.flatMap((index) => [...examples.labels[index]]);
  const counts = new Map<number, number>();
  for (const label of labelsOf(train)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [most] = [...counts].sort(([a, n], [b, m]) => m - n || a - b)[0];
  const labels = labelsOf(held);
  return labels.filter((label) => label === most).length / labels.length;
}
