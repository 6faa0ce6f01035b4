/** One pass over a text that finds its lines, words and characters; every filter measures from what it found. */
import {
  BASE64,
  characterFlags,
  DIGIT,
  finaliseHash,
  LETTER,
  SPACE,
  type TextKernels,
  textKernels,
  UNSPACED,
  WHITE,
  WORD_PART,
} from "../text/index.ts";
import { LineList, WordList } from "./positions.ts";

/** A base64 run may continue on the next line if it filled at least so much of this one: encoders wrap at 64 or 76. */
const wrappedRunCharacters = 40;
/** The Stack's bound on the longest line. */
const longLine = 1000;
/** StarCoder2's base64 pattern asks for so many characters in a row. */
const shortestBase64Run = 64;

/**
 * What a pass found. Positions are UTF-16 code units; "characters" are such units that are not white space.
 * A word is what white space separates (as in Dolma; datatrove uses a tokenizer that also splits punctuation off),
 * and one letter where a script has no spaces. A line is one that is not blank.
 */
export interface Scan {
  readonly text: string;
  readonly words: WordList;
  readonly lines: LineList;
  /** Blank ones included; a text that ends in a line break has no empty line after it. */
  readonly allLines: number;
  /** Longest line in code units, white space included. */
  readonly longestLine: number;
  /** Code units on lines of more than 1000. */
  readonly longLineCharacters: number;
  readonly characters: number;
  readonly letters: number;
  readonly digits: number;
  readonly hashes: number;
  /** `...` and `…`, runs of dots as one. */
  readonly ellipses: number;
  readonly curlyBraces: number;
  /** Characters within runs of 64 or more of the base64 alphabet that have letters and digits, and the longest one. */
  readonly base64Characters: number;
  readonly longestBase64Run: number;
}

/** What a scan fills: reused by the next one, which overwrites the words and lines of the last. */
export class Scratch {
  readonly words = new WordList();
  readonly lines = new LineList();
}

/** Scans `text`. Its words and lines are those of `scratch`, and last until the next scan with it. */
export function scan(text: string, scratch: Scratch): Scan {
  scratch.words.clear();
  scratch.lines.clear();
  const { scan: native } = textKernels();
  return native === undefined ? scanHere(text, scratch) : scanNatively(text, scratch, native);
}

function scanNatively(text: string, { words, lines }: Scratch, native: NonNullable<TextKernels["scan"]>): Scan {
  let figures = native(text, { words, lines });
  if (figures[0] > words.starts.length || figures[1] > lines.starts.length) {
    words.reserve(figures[0]);
    lines.reserve(figures[1]);
    figures = native(text, { words, lines });
  }
  words.count = figures[0];
  lines.count = figures[1];
  const [, , allLines, longestLine, longLineCharacters, characters, letters, digits, ...others] = figures;
  const [hashes, ellipses, curlyBraces, base64Characters, longestBase64Run] = others;
  return {
    ...{ text, words, lines, allLines, longestLine, longLineCharacters, characters, letters, digits },
    ...{ hashes, ellipses, curlyBraces, base64Characters, longestBase64Run },
  };
}

/** The specification of the native pass. */
function scanHere(text: string, { words, lines }: Scratch): Scan {
  const length = text.length;
  let allLines = 0;
  let longestLine = 0;
  let longLineCharacters = 0;
  let characters = 0;
  let letters = 0;
  let digits = 0;
  let hashes = 0;
  let ellipses = 0;
  let curlyBraces = 0;
  let base64Characters = 0;
  let longestBase64Run = 0;

  let wordStart = -1;
  let hash = 0;
  let flagsOfWord = 0;
  let lineStart = 0;
  let wordsBeforeLine = 0;
  let afterBlank = 1;
  let dots = 0;
  let base64Run = 0;
  let base64Flags = 0;

  const endBase64Run = () => {
    // A rule of `=` or `/` and a very long identifier use the alphabet too, but not both letters and digits.
    if (base64Run >= shortestBase64Run && base64Flags === WORD_PART) {
      base64Characters += base64Run;
      if (base64Run > longestBase64Run) longestBase64Run = base64Run;
    }
    base64Run = 0;
    base64Flags = 0;
  };
  const endWord = (end: number) => {
    words.add(wordStart, end, finaliseHash(hash), flagsOfWord);
    wordStart = -1;
  };

  // One step more than the text has: the end closes a word and a line as white space would.
  for (let index = 0; index <= length; index++) {
    const atEnd = index === length;
    if (atEnd && length > 0 && text.charCodeAt(length - 1) === 10) break;
    const unit = atEnd ? 10 : text.charCodeAt(index);
    const flags = characterFlags[unit];

    if (flags & BASE64) {
      base64Run++;
      base64Flags |= flags & WORD_PART;
    } else if (base64Run > 0) {
      const wraps = unit === 10 && base64Run >= wrappedRunCharacters && index - lineStart >= wrappedRunCharacters;
      if (!wraps) endBase64Run();
    }

    if (flags & WHITE) {
      dots = 0;
      if (wordStart >= 0) endWord(index);
      if (flags & SPACE) continue;
      allLines++;
      if (index - lineStart > longestLine) longestLine = index - lineStart;
      if (index - lineStart > longLine) longLineCharacters += index - lineStart;
      if (words.count > wordsBeforeLine) {
        lines.add(words.starts[wordsBeforeLine], words.ends[words.count - 1], wordsBeforeLine, afterBlank);
        afterBlank = 0;
        wordsBeforeLine = words.count;
      } else {
        afterBlank = 1;
      }
      lineStart = index + 1;
      continue;
    }

    characters++;
    if (flags & WORD_PART) {
      if (flags & LETTER) letters++;
      else digits++;
      dots = 0;
      if (flags & UNSPACED && wordStart >= 0) endWord(index);
    } else if (unit === 46) {
      dots++;
      if (dots === 3) ellipses++;
    } else {
      dots = 0;
      if (unit === 35) hashes++;
      else if (unit === 0x2026) ellipses++;
      else if (unit === 123 || unit === 125) curlyBraces++;
    }
    if (wordStart < 0) {
      wordStart = index;
      hash = 0x811c9dc5 | 0;
      flagsOfWord = 0;
    }
    flagsOfWord |= flags & (LETTER | DIGIT);
    hash = Math.imul(hash ^ unit, 0x01000193);
  }
  endBase64Run();
  return {
    text,
    words,
    lines,
    allLines: length === 0 ? 0 : allLines,
    longestLine,
    longLineCharacters,
    characters,
    letters,
    digits,
    hashes,
    ellipses,
    curlyBraces,
    base64Characters,
    longestBase64Run,
  };
}
