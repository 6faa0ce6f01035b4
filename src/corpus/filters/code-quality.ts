import { LETTER } from "../text/index.ts";
import { atLeast, atMost, defineFilter, share } from "./define.ts";

const oneLongLine =
  "one long line (a table, an export list, a test vector) does not spoil a file of thousands; minified code is nothing but long lines";

/** The shape of a source file: people write lines that fit a screen, tools write lines that do not. */
export const codeQuality = defineFilter({
  name: "code-quality",
  kinds: ["code", "declarations"],
  source:
    "Kocetkov et al. 2022 (The Stack) and Chen et al. 2021 (Codex): line lengths and alphanumeric share; Lozhkov et al. 2024 (StarCoder2): alphabetic share and number of lines. Shares are of all characters, white space included.",
  measures: {
    meanLineLength: "characters a line, blank lines included",
    longestLine: "characters of the longest line",
    lines: "lines, blank ones included",
    alphanumericShare: "share of characters that are letters or digits",
    alphabeticShare: "share of characters that are letters",
    alphabeticTokens: "share of tokens between white space that have a letter",
    longLineShare: "share of characters on lines of more than 1000: minified code, embedded data",
    whiteSpaceShare: "share of characters that are white space: minified code has next to none",
  },
  thresholds: {
    meanLineLength: atMost(100),
    longestLine: atMost(1000),
    lines: atMost(100_000),
    alphanumericShare: atLeast(0.25),
    alphabeticShare: atLeast(0.25),
  },
  deviations: {
    code: {
      longestLine: { threshold: null, reason: oneLongLine },
      longLineShare: { threshold: atMost(0.1), reason: oneLongLine },
    },
    declarations: {
      longestLine: { threshold: null, reason: oneLongLine },
      longLineShare: { threshold: atMost(0.25), reason: "compilers print unions and export lists on one line" },
      meanLineLength: { threshold: atMost(150), reason: "compilers print unions and export lists on one line" },
    },
  },
  measure: ({ whole }) => {
    const { text, words } = whole;
    let lettered = 0;
    for (let word = 0; word < words.count; word++) if (words.flags[word] & LETTER) lettered++;
    return {
      meanLineLength: share(text.length - Math.max(0, whole.allLines - 1), whole.allLines),
      longestLine: whole.longestLine,
      lines: whole.allLines,
      alphanumericShare: share(whole.letters + whole.digits, text.length),
      alphabeticShare: share(whole.letters, text.length),
      alphabeticTokens: share(lettered, words.count),
      longLineShare: share(whole.longLineCharacters, text.length),
      whiteSpaceShare: share(text.length - whole.characters, text.length),
    };
  },
});
