/**
 * Is a passage as it was written? The bigram-shift task of SentEval (Conneau et al. 2018) on passages of tokens: in half of
 * them neighbouring tokens have changed places. A bag of words cannot tell; order and meaning must.
 */
import { Random } from "../foundation/index.ts";

/** Passages with their class: 1 where tokens were swapped. */
export interface WordOrderExamples {
  readonly passages: readonly Int32Array[];
  readonly labels: Int32Array;
}

/**
 * Examples from documents: consecutive passages of `length` tokens, every second one with `swaps` pairs of unlike neighbours
 * exchanged. What is drawn follows from the seed alone.
 */
export function wordOrderExamples(
  documents: readonly Int32Array[],
  { length, swaps, limit, seed }: { length: number; swaps: number; limit: number; seed: number },
): WordOrderExamples {
  const random = new Random(seed, 0x0bde);
  const windows: Int32Array[] = [];
  for (const document of documents) {
    for (let start = 0; start + length <= document.length; start += length)
      windows.push(document.slice(start, start + length));
  }
  for (let i = windows.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [windows[i], windows[other]] = [windows[other], windows[i]];
  }
  const passages = windows.slice(0, limit);
  const labels = Int32Array.from(passages, (_, i) => i % 2);
  passages.forEach((passage, index) => {
    if (labels[index] === 0) return;
    // No token moves twice, so that no swap undoes another.
    const moved = new Set<number>();
    for (let tries = 0; moved.size < 2 * swaps && tries < 100; tries++) {
      const at = random.below(length - 1);
      if (moved.has(at) || moved.has(at + 1) || passage[at] === passage[at + 1]) continue;
      [passage[at], passage[at + 1]] = [passage[at + 1], passage[at]];
      moved.add(at).add(at + 1);
    }
  });
  return { passages, labels };
}

/** How often each token stands in each passage: [passages, vocabulary]. */
export function bagsOfWords(passages: readonly Int32Array[], vocabularySize: number): Float32Array {
  const out = new Float32Array(passages.length * vocabularySize);
  passages.forEach((passage, row) => {
    for (const token of passage) out[row * vocabularySize + token] += 1;
  });
  return out;
}
