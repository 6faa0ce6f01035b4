/** MinHash signatures: a few hundred bytes that tell how alike two texts are. */
import { Random } from "../../foundation/random.ts";
import type { DeduplicationSettings } from "./settings.ts";
import { hashShingles, type Shingles } from "./shingles.ts";

/** Shingles are walked in blocks that stay in the first-level cache while all hash functions pass over them. */
const blockShingles = 1024;

/**
 * The signature of a text: `bands · rows` minima, one a hash function, over its shingles. Two signatures agree at a
 * position with the probability of the texts' Jaccard similarity. Undefined for a text with too few shingles.
 */
export function minHashSignature(text: string, settings: DeduplicationSettings): Uint32Array | undefined {
  const shingles = hashShingles(text, settings.shingleWords);
  if (shingles.count < settings.minimumShingles) return undefined;
  return signatureOfShingles(shingles, settings);
}

/** The signature of a set given as hashes; equal hashes count once, whatever their number. */
export function signatureOfShingles(
  shingles: Shingles,
  settings: Pick<DeduplicationSettings, "bands" | "rows" | "seed">,
): Uint32Array {
  const { first, second } = hashFunctions(settings.bands * settings.rows, settings.seed);
  const minima = new Int32Array(first.length).fill(0x7fffffff);
  for (let start = 0; start < shingles.count; start += blockShingles) {
    const end = Math.min(shingles.count, start + blockShingles);
    for (let index = 0; index < minima.length; index++) {
      // Two odd multipliers over two independent hashes; the signed order is as good a permutation as any.
      const a = first[index];
      const b = second[index];
      let minimum = minima[index];
      for (let shingle = start; shingle < end; shingle++) {
        const value = (Math.imul(a, shingles.first[shingle]) + Math.imul(b, shingles.second[shingle])) | 0;
        if (value < minimum) minimum = value;
      }
      minima[index] = minimum;
    }
  }
  return new Uint32Array(minima.buffer);
}

/** The share of positions on which two signatures agree: an unbiased estimate of the Jaccard similarity. */
export function estimateSimilarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let index = 0; index < a.length; index++) if (a[index] === b[index]) equal++;
  return equal / a.length;
}

interface HashFunctions {
  readonly first: Int32Array;
  readonly second: Int32Array;
}

let functions: { key: string; value: HashFunctions } | undefined;

/** The multipliers of the hash functions; kept, because every document of a run asks for the same. */
function hashFunctions(count: number, seed: number): HashFunctions {
  const key = `${count} ${seed}`;
  if (functions?.key !== key) {
    const random = new Random(seed, count);
    const odd = () => Int32Array.from({ length: count }, () => random.uint32() | 1);
    functions = { key, value: { first: odd(), second: odd() } };
  }
  return functions.value;
}
