import { atLeast, atMost, defineFilter, share } from "./define.ts";
import type { Scan } from "./scan.ts";

const policyPhrases = /terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies/i;
const closingMarks = "\"'”’)]*_»";
const terminalMarks = ".!?。！？";
const shortestLineWords = 3;

/**
 * C4's rules as measures. C4 drops single lines first and judges the rest; here lines are counted and the document is
 * judged whole, so the line measures carry no published threshold.
 */
export const c4 = defineFilter({
  name: "c4",
  kinds: ["web", "prose"],
  source:
    "Raffel et al. 2020 (T5), section 2.2. Sentences end in `.`, `!` or `?`, closing quotes or brackets allowed, before white space; C4 itself uses NLTK's sentence splitter.",
  measures: {
    terminalLines: "share of lines that end in terminal punctuation",
    keptLines:
      "share of lines that C4 would keep: terminal punctuation, 3 words, no javascript notice, no policy phrase",
    sentences: "sentences",
    longestWord: "characters of the longest word",
    loremIpsum: "occurrences of the placeholder text lorem ipsum",
    curlyBraces: "`{` and `}`",
  },
  thresholds: {
    sentences: atLeast(5),
    longestWord: atMost(1000),
    loremIpsum: atMost(0),
    curlyBraces: atMost(0),
  },
  deviations: {
    prose: {
      sentences: { threshold: atLeast(2), reason: "the text of a short README or licence is two or three sentences" },
      loremIpsum: { threshold: atMost(3), reason: "an article may show placeholder text in an example" },
      curlyBraces: {
        threshold: null,
        reason: "C4 takes a brace for source code left in a web page; technical writing shows braces on purpose",
      },
    },
  },
  measure: ({ prose }) => {
    const { text, lines, words } = prose;
    let terminal = 0;
    let kept = 0;
    for (let line = 0; line < lines.count; line++) {
      if (!endsSentence(text, lines.starts[line], lines.ends[line])) continue;
      terminal++;
      const nextWord = line + 1 < lines.count ? lines.firstWords[line + 1] : words.count;
      if (nextWord - lines.firstWords[line] >= shortestLineWords) kept++;
    }
    let longestWord = 0;
    let sentences = 0;
    for (let word = 0; word < words.count; word++) {
      const characters = words.ends[word] - words.starts[word];
      if (characters > longestWord) longestWord = characters;
      if (endsSentence(text, words.starts[word], words.ends[word])) sentences++;
    }
    return {
      terminalLines: share(terminal, lines.count),
      keptLines: share(Math.max(0, kept - noticeLines(prose)), lines.count),
      sentences,
      longestWord,
      loremIpsum: text.match(/lorem ipsum/gi)?.length ?? 0,
      curlyBraces: prose.curlyBraces,
    };
  },
});

/** Whether the text from `start` to `end` ends in a terminal mark, closing quotes, brackets and emphasis aside. */
function endsSentence(text: string, start: number, end: number): boolean {
  let last = end - 1;
  while (last > start && closingMarks.includes(text[last])) last--;
  // An ellipsis ends no sentence: C4 asks for a full stop.
  return terminalMarks.includes(text[last]) && !text.endsWith("...", last + 1);
}

/** Lines that would be kept but for a javascript notice or a policy phrase; few texts have either word at all. */
function noticeLines({ text, lines, words }: Scan): number {
  if (!/javascript/i.test(text) && !policyPhrases.test(text)) return 0;
  let notices = 0;
  for (let line = 0; line < lines.count; line++) {
    const nextWord = line + 1 < lines.count ? lines.firstWords[line + 1] : words.count;
    if (nextWord - lines.firstWords[line] < shortestLineWords) continue;
    if (!endsSentence(text, lines.starts[line], lines.ends[line])) continue;
    const content = text.slice(lines.starts[line], lines.ends[line]);
    if (/javascript/i.test(content) || policyPhrases.test(content)) notices++;
  }
  return notices;
}
