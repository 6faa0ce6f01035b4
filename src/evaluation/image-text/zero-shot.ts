/** Zero-shot image classification (Radford et al. 2021): the nearest class by the embeddings of sentences that name it. */
import { bootstrapMeanOfGroups, type Estimate } from "../../foundation/index.ts";

/** Sentences for a class; their embeddings are averaged. A small part of CLIP's eighty. */
export const promptTemplates: readonly string[] = [
  "a photo of a {class}",
  "{class}",
  "a picture of a {class}",
  "an image of {class}",
  "a drawing of a {class}",
  "an icon of {class}",
];

/** The sentences of a class, in lower case as captions are read. */
export function promptsOf(name: string, templates: readonly string[] = promptTemplates): string[] {
  return templates.map((template) => template.replaceAll("{class}", name.toLowerCase()));
}

/** How often the right class is nearest. */
export interface ZeroShotResult {
  /** The mean over classes of the share of their images that are recognised: chance is the same however large the classes. */
  readonly accuracy: Estimate;
  readonly chance: number;
  readonly images: number;
  readonly classes: readonly string[];
  /** Share recognised, class by class. */
  readonly byClass: Readonly<Record<string, number>>;
}

/** The mean direction of some unit embeddings, [count, width]. */
export function meanDirection(embeddings: Float32Array, width: number): Float32Array {
  const mean = new Float32Array(width);
  for (let i = 0; i < embeddings.length; i++) mean[i % width] += embeddings[i];
  const length = Math.hypot(...mean) || 1;
  return mean.map((value) => value / length);
}

/**
 * @param images unit embeddings, [images, width]
 * @param labels the class of each image
 * @param prototypes a direction for each class
 */
export function classifyZeroShot(
  images: Float32Array,
  labels: readonly string[],
  prototypes: ReadonlyMap<string, Float32Array>,
): ZeroShotResult {
  const classes = [...prototypes.keys()].sort();
  const hits = new Map<string, number[]>(classes.map((name) => [name, []]));
  const width = images.length / labels.length;
  labels.forEach((label, image) => {
    let [best, found] = [Number.NEGATIVE_INFINITY, ""];
    for (const [name, direction] of prototypes) {
      let product = 0;
      for (let i = 0; i < width; i++) product += images[image * width + i] * direction[i];
      if (product > best) [best, found] = [product, name];
    }
    hits.get(label)?.push(found === label ? 1 : 0);
  });
  const groups = [...hits].filter(([, one]) => one.length > 0);
  const mean = (one: readonly number[]) => one.reduce((a, b) => a + b, 0) / one.length;
  return {
    accuracy: bootstrapMeanOfGroups(groups.map(([, one]) => one)),
    chance: 1 / classes.length,
    images: labels.length,
    classes,
    byClass: Object.fromEntries(groups.map(([name, one]) => [name, mean(one)])),
  };
}
