import { atMost, defineFilter, share } from "./define.ts";

const hexadecimalRun = /(?:(?:0x|\\x)?[0-9a-fA-F]{2}(?![0-9a-zA-Z])[,;]?\s*){8,}|(?:\\x[0-9a-fA-F]{2}){8,}/g;
const sourceMapMappings = /"mappings"\s*:\s*"[A-Za-z0-9+/,;]*"/g;
const unicodeRun = /(?:\\u[0-9a-fA-F]{4}){8,}/g;

/**
 * Binary data written as text: base64, hexadecimal bytes, `\u` escapes. StarCoder2's patterns, with base64 narrowed
 * to runs that hold letters and digits, so that a rule of equals signs is no data, and allowed to continue over a line
 * break only where an encoder would wrap.
 */
export const encodedData = defineFilter({
  name: "encoded-data",
  kinds: ["web", "prose", "code", "declarations", "data"],
  source: "Lozhkov et al. 2024 (StarCoder2), encoded data filter: base64, hexadecimal and Unicode-escape runs",
  measures: {
    encodedShare: "share of characters within encoded runs",
    longestRun: "characters of the longest encoded run",
    sourceMapShare: "share of characters in the mappings of a source map (an addition to StarCoder2's patterns)",
  },
  thresholds: { encodedShare: atMost(0.5), longestRun: atMost(1024), sourceMapShare: atMost(0.1) },
  measure: ({ whole }) => {
    const hexadecimal = matched(whole.text, hexadecimalRun, mayHoldHexadecimal(whole.text));
    const unicode = matched(whole.text, unicodeRun, whole.text.includes("\\u"));
    return {
      encodedShare: Math.min(
        1,
        share(whole.base64Characters + hexadecimal.characters + unicode.characters, whole.text.length),
      ),
      longestRun: Math.max(whole.longestBase64Run, hexadecimal.longest, unicode.longest),
      sourceMapShare: share(
        matched(whole.text, sourceMapMappings, whole.text.includes('"mappings"')).characters,
        whole.text.length,
      ),
    };
  },
});

/** Eight bytes in a row, in any of the notations, hold three of them near each other: a cheap test before the search. */
function mayHoldHexadecimal(text: string): boolean {
  return /(?:0x|\\x|\b)[0-9a-fA-F]{2}(?:[,;]\s*|\s+|\\x)(?:0x|\\x)?[0-9a-fA-F]{2}\b/.test(text) || text.includes("\\x");
}

function matched(text: string, pattern: RegExp, possible: boolean): { characters: number; longest: number } {
  let characters = 0;
  let longest = 0;
  if (possible) {
    for (const [run] of text.matchAll(pattern)) {
      characters += run.length;
      longest = Math.max(longest, run.length);
    }
  }
  return { characters, longest };
}
