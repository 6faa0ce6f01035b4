import { atMost, defineFilter, share } from "./define.ts";
import { repeatedLines } from "./lines.ts";
import type { WordList } from "./positions.ts";
import { extendHash, HashCounter } from "./repetition.ts";

const apiDocumentation =
  "twice the published share: API documentation says of each function what it said of the one before; licence collections and generated tables, at 0.5 and more, still go";

/**
 * Gopher's repetition rules. The counting is datatrove's: a duplicate is every occurrence after the first, and the
 * duplicate n-grams of a text do not overlap. Three details differ: shares are of characters that are not white
 * space, on both sides of the fraction, so that indentation dilutes nothing; the most frequent n-gram has to occur
 * twice (datatrove counts single ones, so a text of two words is all repetition); of equally frequent ones the longest
 * counts, so that the order of the text does not matter.
 */
export const gopherRepetition = defineFilter({
  name: "gopher-repetition",
  kinds: ["web", "prose"],
  source:
    "Rae et al. 2021 (Gopher), table A1; repeats count after the first occurrence, as in datatrove, over words without marks (docs/data/filters.md lists the differences)",
  measures: {
    duplicateLines: "share of lines that occurred before",
    duplicateParagraphs: "share of paragraphs that occurred before",
    duplicateLineCharacters: "share of characters in duplicate lines",
    duplicateParagraphCharacters: "share of characters in duplicate paragraphs",
    top2Gram: "share of characters in the most frequent pair of words",
    top3Gram: "share of characters in the most frequent 3-gram of words",
    top4Gram: "share of characters in the most frequent 4-gram of words",
    duplicate5Grams: "share of characters in 5-grams that occurred before",
    duplicate6Grams: "share of characters in 6-grams that occurred before",
    duplicate7Grams: "share of characters in 7-grams that occurred before",
    duplicate8Grams: "share of characters in 8-grams that occurred before",
    duplicate9Grams: "share of characters in 9-grams that occurred before",
    duplicate10Grams: "share of characters in 10-grams that occurred before",
  },
  thresholds: {
    duplicateLines: atMost(0.3),
    duplicateParagraphs: atMost(0.3),
    duplicateLineCharacters: atMost(0.2),
    duplicateParagraphCharacters: atMost(0.2),
    top2Gram: atMost(0.2),
    top3Gram: atMost(0.18),
    top4Gram: atMost(0.16),
    duplicate5Grams: atMost(0.15),
    duplicate6Grams: atMost(0.14),
    duplicate7Grams: atMost(0.13),
    duplicate8Grams: atMost(0.12),
    duplicate9Grams: atMost(0.11),
    duplicate10Grams: atMost(0.1),
  },
  deviations: {
    prose: {
      duplicate5Grams: { threshold: atMost(0.3), reason: apiDocumentation },
      duplicate6Grams: { threshold: atMost(0.28), reason: apiDocumentation },
      duplicate7Grams: { threshold: atMost(0.26), reason: apiDocumentation },
      duplicate8Grams: { threshold: atMost(0.24), reason: apiDocumentation },
      duplicate9Grams: { threshold: atMost(0.22), reason: apiDocumentation },
      duplicate10Grams: { threshold: atMost(0.2), reason: apiDocumentation },
    },
  },
  measure: ({ prose }) => {
    const repeated = repeatedLines(prose);
    const grams = new GramHashes(prose.words);
    const top = [2, 3, 4].map((n) => share(mostFrequentCharacters(grams, n), prose.characters));
    const duplicate = [5, 6, 7, 8, 9, 10].map((n) => share(duplicateCharacters(grams, n), prose.characters));
    return {
      duplicateLines: share(repeated.duplicateLines, repeated.lines),
      duplicateParagraphs: share(repeated.duplicateParagraphs, repeated.paragraphs),
      duplicateLineCharacters: share(repeated.duplicateLineCharacters, prose.characters),
      duplicateParagraphCharacters: share(repeated.duplicateParagraphCharacters, prose.characters),
      top2Gram: top[0],
      top3Gram: top[1],
      top4Gram: top[2],
      duplicate5Grams: duplicate[0],
      duplicate6Grams: duplicate[1],
      duplicate7Grams: duplicate[2],
      duplicate8Grams: duplicate[3],
      duplicate9Grams: duplicate[4],
      duplicate10Grams: duplicate[5],
    };
  },
});

const counter = new HashCounter();

/** The hashes of all n-grams of a text, for growing n: each is the one before, extended by a word. */
class GramHashes {
  readonly hashes: Int32Array;
  /** Characters before each word: the length of an n-gram is a difference of two. */
  readonly charactersBefore: Int32Array;
  private n = 1;

  constructor(private readonly words: WordList) {
    this.hashes = words.hashes.slice(0, words.count);
    this.charactersBefore = new Int32Array(words.count + 1);
    for (let word = 0; word < words.count; word++) {
      this.charactersBefore[word + 1] = this.charactersBefore[word] + words.ends[word] - words.starts[word];
    }
  }

  /** How many n-grams there are; afterwards `hashes` holds theirs. `n` must not fall. */
  advanceTo(n: number): number {
    for (; this.n < n; this.n++) {
      const count = this.words.count - this.n;
      for (let start = 0; start < count; start++) {
        this.hashes[start] = extendHash(this.hashes[start], this.words.hashes[start + this.n]);
      }
    }
    return Math.max(0, this.words.count - n + 1);
  }

  characters(start: number, n: number): number {
    return this.charactersBefore[start + n] - this.charactersBefore[start];
  }
}

/** Characters of all occurrences of the n-gram that occurs most often, if that is twice or more. */
function mostFrequentCharacters(grams: GramHashes, n: number): number {
  const count = grams.advanceTo(n);
  counter.reset(count);
  let highest = 1;
  let longest = 0;
  if (count === 0) return 0;
  for (let start = 0; start < count; start++) {
    const occurrences = counter.add(grams.hashes[start]);
    if (occurrences < highest || occurrences === 1) continue;
    const characters = grams.characters(start, n);
    longest = occurrences > highest ? characters : Math.max(longest, characters);
    highest = occurrences;
  }
  // Occurrences of "a a" in "a a a" overlap; a share stays one all the same.
  return Math.min(highest * longest, grams.characters(0, count + n - 1));
}

/** Characters of n-grams that occurred before, where one found is stepped over as a whole. */
function duplicateCharacters(grams: GramHashes, n: number): number {
  const count = grams.advanceTo(n);
  counter.reset(count);
  let characters = 0;
  for (let start = 0; start < count; ) {
    if (counter.add(grams.hashes[start]) > 1) {
      characters += grams.characters(start, n);
      start += n;
    } else {
      start++;
    }
  }
  return characters;
}
