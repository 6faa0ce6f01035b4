/** MinHash signatures: a few hundred bytes that tell how alike two texts are. */
import { Random } from "../../foundation/index.ts";
import { type HashFunctions, textKernels } from "../text/index.ts";
import type { DeduplicationSettings } from "./settings.ts";

/**
 * The signature of a text: `bands · rows` minima, one a hash function, over its shingles. Two signatures agree at a
 * position with the probability of the texts' Jaccard similarity. Undefined for a text with too few shingles.
 */
export function minHashSignature(text: string, settings: DeduplicationSettings): Uint32Array | undefined {
  return textKernels().signature(
    text,
    { words: settings.shingleWords, minimum: settings.minimumShingles },
    hashFunctions(settings.bands * settings.rows, settings.seed),
  );
}

/** The share of positions on which two signatures agree: an unbiased estimate of the Jaccard similarity. */
export function estimateSimilarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let index = 0; index < a.length; index++) if (a[index] === b[index]) equal++;
  return equal / a.length;
}

let functions: { key: string; value: HashFunctions } | undefined;

/** The multipliers of the hash functions; kept, because every document of a run asks for the same. */
export function hashFunctions(count: number, seed: number): HashFunctions {
  const key = `${count} ${seed}`;
  if (functions?.key !== key) {
    const random = new Random(seed, count);
    const odd = () => Int32Array.from({ length: count }, () => random.uint32() | 1);
    functions = { key, value: { first: odd(), second: odd() } };
  }
  return functions.value;
}
