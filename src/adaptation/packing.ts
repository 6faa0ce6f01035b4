/** Examples with losses on some tokens, several in one row, each seeing only itself. */
import type { ObjectiveBatch } from "../objectives/index.ts";

/** Tokens, and at each the token to predict after it: negative where none counts. */
export interface MaskedExample {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

/** Examples that share a row, by index. */
export type Pack = readonly number[];

/** First fit, longest first: rows of at most `length` tokens. With `alone`, one example a row. */
export function packExamples(examples: readonly MaskedExample[], length: number, alone = false): Pack[] {
  const order = examples.map((_, index) => index).sort((a, b) => sizeOf(b) - sizeOf(a) || a - b);
  function sizeOf(index: number): number {
    return examples[index].tokens.length;
  }
  const packs: number[][] = [];
  const rooms: number[] = [];
  for (const index of order) {
    const fits = alone ? -1 : rooms.findIndex((room) => room >= sizeOf(index));
    if (fits === -1) {
      packs.push([index]);
      rooms.push(length - sizeOf(index));
    } else {
      packs[fits].push(index);
      rooms[fits] -= sizeOf(index);
    }
  }
  return packs;
}

/** The rows of those packs, filled up with `padding`; every token sees its own example from its first token on. */
export function packedBatch(
  examples: readonly MaskedExample[],
  packs: readonly Pack[],
  padding: number,
): ObjectiveBatch {
  const lengths = packs.map((pack) => pack.reduce((sum, index) => sum + examples[index].tokens.length, 0));
  const length = Math.max(...lengths);
  const tokens = new Int32Array(packs.length * length).fill(padding);
  const targets = new Int32Array(tokens.length).fill(-1);
  const visibleFrom = Int32Array.from(tokens, (_, i) => i % length);
  packs.forEach((pack, row) => {
    let start = 0;
    for (const index of pack) {
      const example = examples[index];
      tokens.set(example.tokens, row * length + start);
      targets.set(example.targets, row * length + start);
      visibleFrom.fill(start, row * length + start, row * length + start + example.tokens.length);
      start += example.tokens.length;
    }
  });
  const targetCount = targets.reduce((count, target) => count + Number(target >= 0), 0);
  return { sequences: packs.length, length, tokens, targets, targetCount, visibleFrom };
}
