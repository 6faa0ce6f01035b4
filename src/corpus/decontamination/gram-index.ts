/** The n-grams of evaluation texts, and what was found of them in training texts. Case and punctuation do not count. */
import { type GramMatches, type GramTable, textKernels } from "../text/index.ts";

/** The n-grams of `n` words of groups of texts; every distinct one is named by a number below `grams`. */
export class GramIndex {
  private readonly table: GramTable;
  /** So many numbers there are; not each one names an n-gram. */
  readonly grams: number;
  /** Where the numbers of each group end. */
  private readonly ends: number[] = [];

  constructor(
    groups: readonly (readonly string[])[],
    readonly n: number,
  ) {
    const parts: { first: Int32Array; second: Int32Array }[] = [];
    let count = 0;
    for (const texts of groups) {
      for (const text of texts) {
        const { first, second } = textKernels().grams(text, n);
        parts.push({ first: first.slice(), second: second.slice() });
        count += first.length;
      }
      this.ends.push(count);
    }
    const all = { count, first: new Int32Array(count), second: new Int32Array(count) };
    let at = 0;
    for (const { first, second } of parts) {
      all.first.set(first, at);
      all.second.set(second, at);
      at += first.length;
    }
    this.grams = count;
    this.table = textKernels().gramTable(all);
  }

  /** The first group that has the n-gram. */
  groupOf(gram: number): number {
    return this.ends.findIndex((end) => gram < end);
  }

  /** The n-grams of a text that are in the index; what is returned lasts until the next call. */
  find(text: string): GramMatches {
    return textKernels().findGrams(text, this.n, this.table);
  }
}
