/**
 * Pre-tokenization: text is cut into pieces that no token crosses. Here the patterns stand as regular expressions; the
 * native scanners (native/tokenizer/pieces.h) give the same pieces. They are written for JavaScript: no possessive
 * quantifiers (alternatives are ordered so that none needs to be given back), no `(?i:`, and classes from Unicode 16's
 * tables instead of `\p{…}` and `\s`, which Node has in another version and another meaning.
 */
import { characterClass, characterClasses } from "./unicode-classes.ts";

/** Names of the patterns, in the order of the native ones. */
export const patternNames = ["gpt2", "cl100k", "llama3", "qwen2", "o200k"] as const;

export type PatternName = (typeof patternNames)[number];

/** The characters whose class has one of the bits, as the inside of a character class. */
function ranges(bits: number): string {
  const classes = characterClasses();
  let text = "";
  for (let start = 0; start < classes.length; ) {
    let end = start;
    while (end < classes.length && (classes[end] & bits) !== 0) end++;
    if (end > start) text += `\\u{${start.toString(16)}}-\\u{${(end - 1).toString(16)}}`;
    start = end + 1;
  }
  return text;
}

function sources(): Record<PatternName, string> {
  const { letter, number, space, upper, lower } = characterClass;
  const [L, N, S] = [ranges(letter), ranges(number), ranges(space)];
  const word = `[^\\r\\n${L}${N}]?`;
  const [U, W] = [`[${ranges(upper)}]`, `[${ranges(lower)}]`];
  // Without case, ſ (U+017F) is an s.
  const contraction = "'(?:[sdmtSDMT\\u017f]|[lL][lL]|[vV][eE]|[rR][eE])";
  const lines = `[${S}]*[\\r\\n]+`;
  const end = `[${S}]+(?![^${S}])|[${S}]+`;
  const likeLlama = (digits: string) =>
    `${contraction}|${word}[${L}]+|[${N}]${digits}| ?[^${S}${L}${N}]+[\\r\\n]*|${lines}|${end}`;
  return {
    gpt2: `'s|'t|'re|'ve|'m|'ll|'d| ?[${L}]+| ?[${N}]+| ?[^${S}${L}${N}]+|${end}`,
    cl100k: `${contraction}|${word}[${L}]+|[${N}]{1,3}| ?[^${S}${L}${N}]+[\\r\\n]*|[${S}]+$(?![^])|[${S}]*[\\r\\n]|${end}`,
    llama3: likeLlama("{1,3}"),
    qwen2: likeLlama(""),
    o200k: `${word}${U}*${W}+(?:${contraction})?|${word}${U}+${W}*(?:${contraction})?|[${N}]{1,3}| ?[^${S}${L}${N}]+[\\r\\n/]*|${lines}|${end}`,
  };
}

const llamaContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const o200kWord = "[^\\r\\n\\p{L}\\p{N}]?";
const o200kUpper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const o200kLower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

/** The patterns as Hugging Face's `Split` pre-tokenizer (Oniguruma) takes them. */
export const publishedPatterns: Record<PatternName, string> = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // OpenAI writes \p{N}{1,3}+, which Oniguruma reads as one or more times {1,3}.
  cl100k:
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  llama3: `${llamaContractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  qwen2: `${llamaContractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  o200k: `${o200kWord}${o200kUpper}*${o200kLower}+${llamaContractions}?|${o200kWord}${o200kUpper}+${o200kLower}*${llamaContractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
};

/** The pattern that a `Split` pre-tokenizer names, or undefined where it is none of ours. */
export function patternOf(expression: string): PatternName | undefined {
  // Earlier Tilth versions wrote OpenAI's spelling.
  const spelled = expression.replace("\\p{N}{1,3}+", "\\p{N}{1,3}");
  return patternNames.find((name) => publishedPatterns[name] === spelled);
}

let expressions: Record<PatternName, string> | undefined;
const compiled = new Map<PatternName, RegExp>();

/** Calls `visit` with every piece of `text` in order; together they are the text. */
export function forEachPiece(text: string, pattern: PatternName, visit: (piece: string) => void): void {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expressions ??= sources();
    expression = new RegExp(expressions[pattern], "gu");
    compiled.set(pattern, expression);
  }
  expression.lastIndex = 0;
  for (let match = expression.exec(text); match !== null; match = expression.exec(text)) visit(match[0]);
}

/** The pieces of a text. */
export function piecesOf(text: string, pattern: PatternName): string[] {
  const pieces: string[] = [];
  forEachPiece(text, pattern, (piece) => pieces.push(piece));
  return pieces;
}
