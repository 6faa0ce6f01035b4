import { LETTER, lowerCase } from "../text/index.ts";
import { atLeast, atMost, between, defineFilter, share } from "./define.ts";
import type { Scan } from "./scan.ts";

/** Gopher asks for two different ones of these. */
const stopWords = ["the", "be", "to", "of", "and", "that", "have", "with"];
const longestStopWord = 4;

const HYPHEN = 45;
const ASTERISK = 42;
const PLUS = 43;
const BULLET = 0x2022;
const OTHER_BULLETS = [0x2023, 0x25cf, 0x25e6, 0x25aa, 0x2043];
const ELLIPSIS = 0x2026;

/** Gopher's quality rules. Shares are of words or of lines that are not blank, as the name says. */
export const gopherQuality = defineFilter({
  name: "gopher-quality",
  kinds: ["web", "prose"],
  source:
    "Rae et al. 2021 (Gopher), appendix A.1.1. Words are separated by white space and counted as Dolma does; stop words are recognised in any case and with punctuation around them, each counted once as in datatrove; `*` and `+` are bullets beside `•` and `-`, because Markdown uses them.",
  measures: {
    words: "words",
    meanWordLength: "characters a word, over words with a letter or digit",
    hashesPerWord: "`#` a word",
    ellipsesPerWord: "`...` and `…` a word",
    bulletLines: "share of lines that begin with a bullet",
    ellipsisLines: "share of lines that end in an ellipsis",
    alphabeticWords: "share of words with a letter",
    stopWords:
      "how many of the, be, to, of, and, that, have, with occur; English only: switch it off for corpora in other languages",
  },
  thresholds: {
    words: between(50, 100_000),
    meanWordLength: between(3, 10),
    hashesPerWord: atMost(0.1),
    ellipsesPerWord: atMost(0.1),
    bulletLines: atMost(0.9),
    ellipsisLines: atMost(0.3),
    alphabeticWords: atLeast(0.8),
    stopWords: atLeast(2),
  },
  deviations: {
    prose: {
      words: {
        threshold: between(30, 100_000),
        reason: "50 words are counted without code here; a short README beside its example is still a document",
      },
      meanWordLength: {
        threshold: between(3, 12),
        reason: "qualified names and signatures count as words; API references come to a mean of 10 and a little more",
      },
      bulletLines: { threshold: null, reason: "changelogs and option lists are all bullets, and good technical text" },
      alphabeticWords: {
        threshold: atLeast(0.6),
        reason: "versions, numbers and signs of compatibility tables count as words; 0.8 rejects API documentation",
      },
    },
  },
  measure: ({ prose }) => {
    const { words, lines } = prose;
    let lettered = 0;
    let spelled = 0;
    let spelledCharacters = 0;
    let stopWordsSeen = 0;
    for (let word = 0; word < words.count; word++) {
      const flags = words.flags[word];
      if (flags === 0) continue;
      spelled++;
      spelledCharacters += words.ends[word] - words.starts[word];
      if (flags & LETTER) lettered++;
      if (stopWordsSeen !== allStopWords)
        stopWordsSeen |= stopWordBit(prose.text, words.starts[word], words.ends[word]);
    }
    let bullets = 0;
    let ellipses = 0;
    for (let line = 0; line < lines.count; line++) {
      if (beginsWithBullet(prose, line)) bullets++;
      if (endsInEllipsis(prose.text, lines.ends[line])) ellipses++;
    }
    return {
      words: words.count,
      meanWordLength: share(spelledCharacters, spelled),
      hashesPerWord: share(prose.hashes, words.count),
      ellipsesPerWord: share(prose.ellipses, words.count),
      bulletLines: share(bullets, lines.count),
      ellipsisLines: share(ellipses, lines.count),
      alphabeticWords: share(lettered, words.count),
      stopWords: bitsOf(stopWordsSeen),
    };
  },
});

const allStopWords = 2 ** stopWords.length - 1;

/** The bit of the stop word between `start` and `end`, whatever its case and the punctuation around it; 0 for none. */
function stopWordBit(text: string, start: number, end: number): number {
  let first = start;
  let last = end - 1;
  while (first < last && !isAsciiLetter(text.charCodeAt(first))) first++;
  while (last > first && !isAsciiLetter(text.charCodeAt(last))) last--;
  const length = last - first + 1;
  if (length > longestStopWord) return 0;
  for (let index = 0; index < stopWords.length; index++) {
    const stopWord = stopWords[index];
    if (stopWord.length !== length) continue;
    let same = 0;
    while (same < length && lowerCase[text.charCodeAt(first + same)] === stopWord.charCodeAt(same)) same++;
    if (same === length) return 1 << index;
  }
  return 0;
}

function isAsciiLetter(unit: number): boolean {
  const lower = unit | 32;
  return lower >= 97 && lower <= 122;
}

/** A bullet and white space after it: a line of dashes or `**bold**` is none. */
function beginsWithBullet({ text, lines }: Scan, line: number): boolean {
  const start = lines.starts[line];
  const unit = text.charCodeAt(start);
  if (unit === BULLET || OTHER_BULLETS.includes(unit)) return true;
  if (unit !== HYPHEN && unit !== ASTERISK && unit !== PLUS) return false;
  const next = text.charCodeAt(start + 1);
  return next === 32 || next === 9;
}

function endsInEllipsis(text: string, end: number): boolean {
  return text.charCodeAt(end - 1) === ELLIPSIS || text.endsWith("...", end);
}

function bitsOf(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
