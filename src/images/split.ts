/** Training, validation and test pairs that have nothing in common: neither a group, nor a caption, nor nearly the same picture. */
import { mixKeys } from "../foundation/index.ts";
import type { ImageLoader } from "./loader.ts";
import type { ImageTextPair, SkippedPair } from "./pairs.ts";
import { type ImageSettings, imageSettings } from "./transform.ts";

/** Thumbnails that tell whether two pictures are nearly the same. */
export const fingerprintSettings: ImageSettings = imageSettings.parse({
  ...{ size: 12, resize: "squash", mean: [0, 0, 0], standardDeviation: [1, 1, 1], background: "#ffffff" },
});

/** Correlation of two thumbnails from which on their pictures count as the same. */
const sameFrom = 0.99;

/** Sets up to this length are compared picture by picture; the time grows with the square. */
const comparedUpTo = 20_000;

type Side = "train" | "validation" | "test";

/** A split, and what was done for it. */
export interface PairSplit {
  readonly train: readonly ImageTextPair[];
  /** Held out to watch a run and to choose settings by. */
  readonly validation: readonly ImageTextPair[];
  /** Held out for the figures that are reported in the end. */
  readonly test: readonly ImageTextPair[];
  /** Pairs that were meant to be held out, but for a training picture that is nearly the same: they are trained on. */
  readonly nearDuplicates: number;
  /** False where the set is too large for that comparison. */
  readonly compared: boolean;
  /** Pairs whose images cannot be decoded: in neither part. */
  readonly damaged: readonly SkippedPair[];
}

/**
 * Holds out `validationShare` and `testShare` of the groups, decided by (seed, group) alone. A pair without a group belongs to
 * all that have its first caption, unless that is the caption of a class. `loader` must have been made with `fingerprintSettings`.
 */
export async function splitPairs(
  pairs: readonly ImageTextPair[],
  loader: ImageLoader,
  { validationShare, testShare, seed }: { validationShare: number; testShare: number; seed: number },
): Promise<PairSplit> {
  const drawn = pairs.map((pair) => mixKeys(seed, ...Buffer.from(groupOf(pair))) / 2 ** 32);
  const sides = drawn.map(
    (at): Side => (at < testShare ? "test" : at < testShare + validationShare ? "validation" : "train"),
  );
  if (pairs.length > comparedUpTo) {
    return { ...parts(pairs, sides, new Set()), nearDuplicates: 0, compared: false, damaged: [] };
  }
  const { prints, damaged, damagedAt } = await fingerprints(pairs, loader);
  let nearDuplicates = 0;
  // What moves to the training part may be nearly the same as another pair that is held out.
  for (let moved = 1; moved > 0; nearDuplicates += moved) {
    const leaks = leaking(prints, sides);
    moved = leaks.length;
    for (const index of leaks) sides[index] = "train";
  }
  return { ...parts(pairs, sides, damagedAt), nearDuplicates, compared: true, damaged };
}

function groupOf({ group, captions, class: label, name }: ImageTextPair): string {
  return group ?? (label === undefined ? captions[0].toLowerCase() : name);
}

function parts(pairs: readonly ImageTextPair[], sides: readonly Side[], without: ReadonlySet<number>) {
  const of = (side: Side) => pairs.filter((_, index) => sides[index] === side && !without.has(index));
  return { train: of("train"), validation: of("validation"), test: of("test") };
}

/** Thumbnails of mean 0 and length 1, so that products are correlations; undefined for damaged images. */
async function fingerprints(pairs: readonly ImageTextPair[], loader: ImageLoader) {
  const { pixels, kept, damaged } = await loader.load(pairs.map((pair) => ({ pair, keys: [] })));
  const length = 3 * fingerprintSettings.size ** 2;
  const prints: (Float32Array | undefined)[] = pairs.map(() => undefined);
  kept.forEach((index, position) => {
    const print = pixels.slice(position * length, (position + 1) * length);
    const mean = print.reduce((sum, value) => sum + value, 0) / length;
    const size = Math.sqrt(print.reduce((sum, value) => sum + (value - mean) ** 2, 0));
    // A picture of one colour resembles nothing.
    prints[index] = size < 1e-3 ? undefined : print.map((value) => (value - mean) / size);
  });
  const known = new Set(kept);
  const damagedAt = new Set([...pairs.keys()].filter((index) => !known.has(index)));
  return { prints, damaged, damagedAt };
}

function leaking(prints: readonly (Float32Array | undefined)[], sides: readonly Side[]): number[] {
  const training = prints.filter((print, index) => print !== undefined && sides[index] === "train");
  return [...sides.keys()].filter((index) => {
    const print = prints[index];
    if (sides[index] === "train" || print === undefined) return false;
    return training.some((other) => {
      let product = 0;
      for (let i = 0; i < print.length; i++) product += print[i] * other![i];
      return product >= sameFrom;
    });
  });
}
