import { finaliseHash } from "../../text/index.ts";
import { share } from "../define.ts";
import { HashCounter } from "../repetition.ts";
import { type DatatroveText, duplicates } from "./text.ts";
import { strip } from "./white-space.ts";
import type { Piece } from "./words.ts";

/**
 * Gopher's repetition rules, counted as datatrove's GopherRepetitionFilter counts: shares of all characters; the most
 * frequent n-gram counts though it occurs once, and of equally frequent ones the first; n-grams are equal where the
 * strings are that their words join to. Overlapping n-grams count more than all characters there; a share stays one here.
 */
export function gopherRepetition({ text, characters, words }: DatatroveText) {
  const stripped = strip(text);
  const paragraphs = stripped.split(/\n{2,}/);
  const lines = text.split(/\n+/);
  const repeatedParagraphs = duplicates(paragraphs);
  const repeatedLines = duplicates(lines);
  const grams = new Grams(words);
  const top = [2, 3, 4].map((n) => Math.min(1, share(mostFrequentCharacters(grams, n), characters)));
  const duplicate = [5, 6, 7, 8, 9, 10].map((n) => share(duplicateCharacters(grams, n), characters));
  return {
    duplicateLines: share(repeatedLines.count, lines.length),
    duplicateParagraphs: share(repeatedParagraphs.count, paragraphs.length),
    duplicateLineCharacters: share(repeatedLines.characters, characters),
    duplicateParagraphCharacters: share(repeatedParagraphs.characters, characters),
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
}

const counter = new HashCounter();

/** The n-grams of a text, for growing n, as hashes of their joined words. */
class Grams {
  readonly hashes: Int32Array;
  /** Of the single words. */
  private readonly wordHashes: Int32Array;
  private readonly factors: Int32Array;
  /** Code points before each word. */
  private readonly before: Int32Array;
  private n = 1;

  constructor(words: readonly Piece[]) {
    this.wordHashes = new Int32Array(words.length);
    this.factors = new Int32Array(words.length);
    this.before = new Int32Array(words.length + 1);
    for (let word = 0; word < words.length; word++) {
      const { hash, factor, characters } = words[word];
      this.wordHashes[word] = hash;
      this.factors[word] = factor;
      this.before[word + 1] = this.before[word] + characters;
    }
    this.hashes = this.wordHashes.slice();
  }

  /** How many n-grams there are; afterwards `hashes` holds theirs. `n` must not fall. */
  advanceTo(n: number): number {
    const { hashes, wordHashes, factors } = this;
    for (; this.n < n; this.n++) {
      for (let start = 0, next = this.n; next < hashes.length; start++, next++) {
        hashes[start] = (Math.imul(hashes[start], factors[next]) + wordHashes[next]) | 0;
      }
    }
    return Math.max(0, hashes.length - n + 1);
  }

  characters(start: number, n: number): number {
    return this.before[start + n] - this.before[start];
  }
}

/** Code points of all occurrences of the most frequent n-gram, with a blank between words. */
function mostFrequentCharacters(grams: Grams, n: number): number {
  const count = grams.advanceTo(n);
  counter.reset(count);
  let highest = 0;
  for (let start = 0; start < count; start++) {
    highest = Math.max(highest, counter.add(finaliseHash(grams.hashes[start])));
  }
  for (let start = 0; start < count; start++) {
    if (counter.count(finaliseHash(grams.hashes[start])) === highest)
      return highest * (grams.characters(start, n) + n - 1);
  }
  return 0;
}

/** Code points of n-grams that occurred before, where one found is stepped over as a whole. */
function duplicateCharacters(grams: Grams, n: number): number {
  const count = grams.advanceTo(n);
  counter.reset(count);
  let characters = 0;
  for (let start = 0; start < count; ) {
    if (counter.add(finaliseHash(grams.hashes[start])) > 1) {
      characters += grams.characters(start, n);
      start += n;
    } else {
      start++;
    }
  }
  return characters;
}
