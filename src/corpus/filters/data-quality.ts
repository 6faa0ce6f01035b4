import { atLeast, atMost, between, defineFilter, share } from "./define.ts";

/** Data files: a configuration teaches, a table of numbers or a lock file does not. */
export const dataQuality = defineFilter({
  name: "data-quality",
  kinds: ["data"],
  source:
    "Guo et al. 2024 (DeepSeek-Coder): 50–5000 characters for JSON and YAML; Lozhkov et al. 2024 (StarCoder2): at most 512 lines, alphabetic share at least 0.25",
  measures: {
    characters: "characters, white space included",
    lines: "lines, blank ones included",
    alphabeticShare: "share of characters that are letters",
    digitShare: "share of characters that are digits",
    longestLine: "characters of the longest line",
  },
  thresholds: {
    characters: between(50, 5000),
    lines: atMost(512),
    alphabeticShare: atLeast(0.25),
  },
  measure: ({ whole }) => ({
    characters: whole.text.length,
    lines: whole.allLines,
    alphabeticShare: share(whole.letters, whole.text.length),
    digitShare: share(whole.digits, whole.text.length),
    longestLine: whole.longestLine,
  }),
});
