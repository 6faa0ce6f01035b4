import { share } from "../define.ts";
import { type DatatroveText, occurrences } from "./text.ts";
import { lengthsBetweenSpaces, strip } from "./white-space.ts";
import { forEachPiece } from "./words.ts";

const citation = /\[\p{Nd}*\]|\[edit\]|\[citation needed\]/gu;
const endMarks = [".", "?", "!", '"', "'"];
const policyPhrases = [
  "terms of use",
  "privacy policy",
  "cookie policy",
  "uses cookies",
  "use of cookies",
  "use cookies",
];
const shortestLineWords = 3;
const longestWord = 1000;

/**
 * C4's rules, counted as datatrove's C4QualityFilter counts: lines are dropped first (no end mark, few words, a very long
 * word, javascript, policies), and braces, placeholder text and sentences are looked for in those that are left.
 */
export function c4({ lines }: DatatroveText) {
  const found = { terminalLines: 0, keptLines: 0, sentences: 0, longestWord: 0, loremIpsum: 0, curlyBraces: 0 };
  for (const raw of lines) {
    let line = strip(raw);
    const words = lengthsBetweenSpaces(line);
    const longest = words.reduce((a, b) => Math.max(a, b), 0);
    if (longest > longestWord) continue;
    if (line.includes("[")) line = line.replace(citation, "");
    if (!endMarks.includes(line.slice(-1)) || line.endsWith("...")) continue;
    found.terminalLines++;
    if (words.length < shortestLineWords) continue;
    const lower = line.toLowerCase();
    found.loremIpsum += occurrences(lower, "lorem ipsum");
    if (lower.includes("javascript")) continue;
    found.curlyBraces += occurrences(line, "{");
    if (policyPhrases.some((phrase) => lower.includes(phrase))) continue;
    found.keptLines++;
    found.sentences += sentencesOf(line);
    found.longestWord = Math.max(found.longestWord, longest);
  }
  return {
    ...found,
    terminalLines: share(found.terminalLines, lines.length),
    keptLines: share(found.keptLines, lines.length),
  };
}

/** Sentences as spaCy's sentencizer ends them: at a mark, and at the punctuation that follows it. */
export function sentencesOf(line: string): number {
  let sentences = 0;
  let ended = true;
  let marked = false;
  forEachPiece(line, ({ sentenceMark, punctuation }) => {
    if (ended) {
      sentences++;
      ended = false;
      marked = sentenceMark;
    } else if (marked && !punctuation && !sentenceMark) {
      sentences++;
      marked = false;
    } else if (sentenceMark) {
      marked = true;
    }
  });
  return sentences;
}
