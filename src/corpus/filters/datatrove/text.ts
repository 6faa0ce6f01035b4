/** A text as datatrove's filters see it. */
import { forEachPiece, type Piece } from "./words.ts";

/** Line breaks as Python's `str.splitlines` has them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python breaks lines at these control characters
const lineBreak = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;

export interface DatatroveText {
  readonly text: string;
  /** Code points. */
  readonly characters: number;
  readonly words: readonly Piece[];
  /** As `str.splitlines` gives them. */
  readonly lines: readonly string[];
}

/** Splits a text into words and lines. */
export function datatroveText(text: string): DatatroveText {
  const words: Piece[] = [];
  forEachPiece(text, (piece) => {
    if (!piece.white) words.push(piece);
  });
  const lines = text.split(lineBreak);
  if (lines[lines.length - 1] === "") lines.pop();
  return { text, characters: codePoints(text), words, lines };
}

/** Python's `len` of a string. */
export function codePoints(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) !== 0xdc00) count++;
  return count;
}

/** How often `part` occurs in `text`, occurrences not overlapping. */
export function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** What occurred before in a list, and the code points of it. */
export function duplicates(list: readonly string[]): { count: number; characters: number } {
  const seen = new Set<string>();
  let count = 0;
  let characters = 0;
  for (const one of list) {
    if (seen.has(one)) {
      count++;
      characters += codePoints(one);
    } else seen.add(one);
  }
  return { count, characters };
}
