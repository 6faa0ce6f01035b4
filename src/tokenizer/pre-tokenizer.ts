/**
 * Pre-tokenization: text is cut into pieces that no token crosses. The patterns are GPT-2's and cl100k's, written for
 * JavaScript: no possessive quantifiers (alternatives are ordered so that none needs to be given back), no `(?i:`, and
 * `\s` as Unicode's White_Space, which has U+0085 and lacks U+FEFF, as the Rust implementations have it.
 */

/** Names of the patterns. */
export type PatternName = "gpt2" | "cl100k";

const space = "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const notSpace = "[^\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const spaceClass = space.slice(1, -1);

const sources: Record<PatternName, string> = {
  gpt2: [
    "'s|'t|'re|'ve|'m|'ll|'d",
    " ?\\p{L}+",
    " ?\\p{N}+",
    ` ?[^${spaceClass}\\p{L}\\p{N}]+`,
    `${space}+(?!${notSpace})`,
    `${space}+`,
  ].join("|"),
  cl100k: [
    // The case-insensitive contractions, with ſ (U+017F), which folds to s.
    "'(?:[sdmtSDMT\\u017f]|[lL][lL]|[vV][eE]|[rR][eE])",
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
    "\\p{N}{1,3}",
    ` ?[^${spaceClass}\\p{L}\\p{N}]+[\\r\\n]*`,
    `${space}+$(?![^])`,
    `${space}*[\\r\\n]`,
    `${space}+(?!${notSpace})`,
    space,
  ].join("|"),
};

/** The pattern as Hugging Face's `Split` pre-tokenizer takes it. */
export const publishedPatterns: Record<PatternName, string> = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  cl100k:
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
};

const compiled = new Map<PatternName, RegExp>();

/** Calls `visit` with every piece of `text` in order; together they are the text. */
export function forEachPiece(text: string, pattern: PatternName, visit: (piece: string) => void): void {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = new RegExp(sources[pattern], "gu");
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
