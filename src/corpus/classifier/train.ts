/** Training: logistic regression by AdaGrad over sparse features, the same bits for the same texts and settings. */
import { createHash } from "node:crypto";
import { Random, UsageError } from "../../foundation/index.ts";
import { evaluateScores } from "./evaluate.ts";
import { FeatureReader } from "./features.ts";
import { type ClassifierEvaluation, logit, sigmoid } from "./model.ts";
import type { ClassifierSettings } from "./settings.ts";

/** A text with its class. */
export interface LabelledText {
  readonly text: string;
  readonly positive: boolean;
}

/** What training yields. */
export interface TrainedClassifier {
  readonly weights: Float32Array;
  readonly bias: number;
  readonly trainedOn: { readonly positives: number; readonly negatives: number };
  readonly heldOut: ClassifierEvaluation;
}

/** Keeps the streams of random numbers apart. */
const orderPurpose = 71;
/** Texts that are the same for so many characters are versions of one text. */
const groupCharacters = 100;

interface Example {
  readonly features: Int32Array;
  readonly target: 0 | 1;
}

/**
 * Trains on the texts but for a part that is held out by a hash of their first 100 characters, so that versions of one
 * text are never on both sides. A text that occurs again, under either class, is left out. Both classes weigh the same, whatever their sizes.
 * Throws UsageError where a class has too few texts to train and to measure.
 */
export async function trainClassifier(
  texts: AsyncIterable<LabelledText> | Iterable<LabelledText>,
  settings: ClassifierSettings,
): Promise<TrainedClassifier> {
  const reader = new FeatureReader(settings);
  const training: Example[] = [];
  const heldOut: Example[] = [];
  const known = new Set<string>();
  const perClass = [0, 0];
  for await (const { text, positive } of texts) {
    const target = positive ? 1 : 0;
    if (perClass[target] >= settings.maximumDocuments) continue;
    const digest = createHash("sha256").update(text).digest();
    const key = digest.toString("latin1", 0, 16);
    if (known.has(key)) continue;
    known.add(key);
    perClass[target]++;
    const example: Example = { features: reader.read(text), target };
    (sideOf(text) < settings.heldOutShare ? heldOut : training).push(example);
  }
  requireBoth(training, "to train on", 10);
  requireBoth(heldOut, "to measure by", 5);
  const { weights, bias } = fitWeights(training, settings);
  const scores = heldOut.map(({ features }) => sigmoid(logit(features, weights, bias)));
  return {
    weights,
    bias,
    trainedOn: { positives: countOf(training, 1), negatives: countOf(training, 0) },
    heldOut: evaluateScores(
      scores,
      heldOut.map(({ target }) => target === 1),
      { seed: settings.seed },
    ),
  };
}

function fitWeights(
  examples: readonly Example[],
  settings: ClassifierSettings,
): { weights: Float32Array; bias: number } {
  const { buckets, epochs, learningRate, l2, seed } = settings;
  const weights = new Float32Array(buckets);
  const squares = new Float32Array(buckets);
  let bias = 0;
  let biasSquares = 0;
  const classWeight = [0, 1].map((target) => examples.length / (2 * countOf(examples, target)));
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffled(examples.length, new Random(seed, orderPurpose, epoch));
    for (const index of order) {
      const { features, target } = examples[index];
      if (features.length === 0) continue;
      const scale = 1 / Math.sqrt(features.length);
      const gradient = classWeight[target] * (sigmoid(logit(features, weights, bias)) - target);
      for (const feature of features) {
        const slope = gradient * scale + l2 * weights[feature];
        squares[feature] += slope * slope;
        weights[feature] -= (learningRate * slope) / (Math.sqrt(squares[feature]) + 1e-6);
      }
      biasSquares += gradient * gradient;
      bias -= (learningRate * gradient) / (Math.sqrt(biasSquares) + 1e-6);
    }
  }
  return { weights, bias };
}

function shuffled(length: number, random: Random): Int32Array {
  const order = Int32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** 0–1, the same for texts with the same beginning: versions of one text must not be on both sides. */
function sideOf(text: string): number {
  const beginning = text.slice(0, groupCharacters).toLowerCase().replace(/\s+/g, " ");
  return createHash("sha256").update(beginning).digest().readUInt32LE(0) / 2 ** 32;
}

function countOf(examples: readonly Example[], target: number): number {
  return examples.reduce((count, one) => count + (one.target === target ? 1 : 0), 0);
}

function requireBoth(examples: readonly Example[], purpose: string, minimum: number): void {
  for (const [target, name] of [
    [1, "positive"],
    [0, "negative"],
  ] as const) {
    const count = countOf(examples, target);
    if (count < minimum) {
      throw new UsageError(`there are ${count} ${name} texts ${purpose}, expected at least ${minimum}`, {
        remedy: "Give more documents, or raise the held-out share.",
      });
    }
  }
}
