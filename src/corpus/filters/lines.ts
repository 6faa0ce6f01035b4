/** Repeated lines and paragraphs of a text: Gopher's and FineWeb's filters both ask for them. */
import { extendHash, HashCounter } from "./repetition.ts";
import type { Scan } from "./scan.ts";

export interface LineRepetition {
  readonly lines: number;
  readonly paragraphs: number;
  readonly duplicateLines: number;
  readonly duplicateParagraphs: number;
  /** Characters (not white space) of the duplicates. */
  readonly duplicateLineCharacters: number;
  readonly duplicateParagraphCharacters: number;
}

const counter = new HashCounter();
const remembered = new WeakMap<Scan, LineRepetition>();

/**
 * Counts lines and paragraphs that occurred before, comparing their words: white space does not matter. As in
 * datatrove the first occurrence is no duplicate (Dolma counts it as one). A paragraph ends at a blank line.
 */
export function repeatedLines(scan: Scan): LineRepetition {
  const known = remembered.get(scan);
  if (known !== undefined) return known;
  const { lines, words } = scan;
  let paragraphs = 0;
  let duplicateLines = 0;
  let duplicateLineCharacters = 0;
  let duplicateParagraphs = 0;
  let duplicateParagraphCharacters = 0;
  const lineHashes = new Int32Array(lines.count);
  const lineCharacters = new Int32Array(lines.count);
  counter.reset(lines.count);
  for (let line = 0; line < lines.count; line++) {
    const end = line + 1 < lines.count ? lines.firstWords[line + 1] : words.count;
    let hash = 0x3c6ef372;
    let characters = 0;
    for (let word = lines.firstWords[line]; word < end; word++) {
      hash = extendHash(hash, words.hashes[word]);
      characters += words.ends[word] - words.starts[word];
    }
    lineHashes[line] = hash;
    lineCharacters[line] = characters;
    if (counter.add(hash) > 1) {
      duplicateLines++;
      duplicateLineCharacters += characters;
    }
  }
  counter.reset(lines.count);
  for (let line = 0; line < lines.count; ) {
    let hash = 0x1b873593;
    let characters = 0;
    do {
      hash = extendHash(hash, lineHashes[line]);
      characters += lineCharacters[line];
      line++;
    } while (line < lines.count && lines.opensParagraph[line] === 0);
    paragraphs++;
    if (counter.add(hash) > 1) {
      duplicateParagraphs++;
      duplicateParagraphCharacters += characters;
    }
  }
  const result = {
    lines: lines.count,
    paragraphs,
    duplicateLines,
    duplicateParagraphs,
    duplicateLineCharacters,
    duplicateParagraphCharacters,
  };
  remembered.set(scan, result);
  return result;
}
