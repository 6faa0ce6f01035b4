/**
 * How many labels pre-training saves: the same linear head on the representations of a checkpoint and on those of the same model
 * with random weights, at growing numbers of labels.
 */
import { bootstrapMean, type Estimate, Random, TilthError } from "../foundation/index.ts";
import { examplesOf, type LabelledFeatures, linearProbe } from "./probes/index.ts";

/** Accuracy on the test examples with that many labels. */
export interface EfficiencyPoint extends Estimate {
  readonly labels: number;
}

export type EfficiencyCurve = readonly EfficiencyPoint[];

/** Both curves, and for every number of labels how many the random model needs for the checkpoint's accuracy. */
export interface SampleEfficiency {
  readonly classes: number;
  readonly chance: number;
  readonly pretrained: EfficiencyCurve;
  readonly random: EfficiencyCurve;
  /** `needed` is null where the random model does not get there with all labels that there are. */
  readonly saved: readonly { readonly labels: number; readonly needed: number | null }[];
}

/** The same examples as two models see them. */
export interface PairedFeatures {
  readonly pretrained: LabelledFeatures;
  readonly random: LabelledFeatures;
}

/**
 * Draws each number of labels `draws` times, the same for both models and with as many of every class as they allow, and tests on
 * all test examples. Intervals are over the draws.
 */
export function sampleEfficiency(
  train: PairedFeatures,
  test: PairedFeatures,
  counts: readonly number[],
  options: { readonly draws: number; readonly seed: number; readonly onPoint?: (done: number, total: number) => void },
): SampleEfficiency {
  const { labels } = train.pretrained;
  const classes = Math.max(...labels, ...test.pretrained.labels) + 1;
  const tooMany = counts.find((count) => count > labels.length);
  if (tooMany !== undefined) {
    throw new TilthError(`${tooMany} labels are asked for, but there are only ${labels.length} training examples`, {
      remedy: "Lower --labels or give more examples.",
    });
  }
  const curves = { pretrained: [] as EfficiencyPoint[], random: [] as EfficiencyPoint[] };
  counts.forEach((count, index) => {
    const found = { pretrained: [] as number[], random: [] as number[] };
    for (let draw = 0; draw < options.draws; draw++) {
      const chosen = balancedDraw(labels, count, new Random(options.seed, count, draw));
      for (const side of ["pretrained", "random"] as const) {
        found[side].push(linearProbe(examplesOf(train[side], chosen), test[side]).accuracy);
      }
    }
    for (const side of ["pretrained", "random"] as const) {
      curves[side].push({ labels: count, ...bootstrapMean(found[side], options.seed) });
    }
    options.onPoint?.(index + 1, counts.length);
  });
  return {
    classes,
    chance: largestShare(test.pretrained.labels),
    ...curves,
    saved: curves.pretrained.map(({ labels: given, value }) => ({
      labels: given,
      needed: labelsFor(curves.random, value),
    })),
  };
}

/** Labels at which a curve reaches an accuracy, between its points on a logarithmic axis; null where it never does. */
function labelsFor(curve: EfficiencyCurve, accuracy: number): number | null {
  const at = curve.findIndex(({ value }) => value >= accuracy);
  if (at === -1) return null;
  if (at === 0) return curve[0].labels;
  const [below, above] = [curve[at - 1], curve[at]];
  const share = (accuracy - below.value) / (above.value - below.value);
  return below.labels * (above.labels / below.labels) ** share;
}

/** Indices of examples, class after class in turn, each class in a drawn order. */
function balancedDraw(labels: Int32Array, count: number, random: Random): number[] {
  const byClass = new Map<number, number[]>();
  labels.forEach((label, index) => {
    const list = byClass.get(label);
    if (list === undefined) byClass.set(label, [index]);
    else list.push(index);
  });
  const queues = shuffled([...byClass.values()], random).map((list) => shuffled(list, random));
  const chosen: number[] = [];
  for (let turn = 0; chosen.length < count; turn++) {
    for (const queue of queues) if (turn < queue.length && chosen.length < count) chosen.push(queue[turn]);
  }
  return chosen;
}

function shuffled<Item>(items: Item[], random: Random): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [items[i], items[other]] = [items[other], items[i]];
  }
  return items;
}

/** What always naming the most frequent class gives. */
function largestShare(labels: Int32Array): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values()) / labels.length;
}
