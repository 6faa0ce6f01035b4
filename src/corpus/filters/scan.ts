/** One pass over a text that finds its lines, words and characters; every filter measures from what it found. */
import { BASE64, characterFlags, DIGIT, LETTER, SPACE, UNSPACED, WHITE, WORD_PART } from "../normalise/characters.ts";
import { finaliseHash } from "../normalise/hashing.ts";

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
  readonly words: Words;
  readonly lines: Lines;
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

export interface Words {
  readonly count: number;
  /** Where each begins and, exclusively, ends. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** 32-bit hash of the word as written. */
  readonly hashes: Int32Array;
  /** `LETTER` and `DIGIT` where the word has one. */
  readonly flags: Uint8Array;
}

export interface Lines {
  readonly count: number;
  /** Without the white space at both ends. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly firstWords: Int32Array;
  /** 1 where a blank line, or the text's beginning, stands before the line. */
  readonly opensParagraph: Uint8Array;
}

/** Scans `text`. The arrays are reused by the next call with the same `scratch`. */
export function scan(text: string, scratch: Scratch): Scan {
  scratch.prepare(text.length);
  const { wordStarts, wordEnds, wordHashes, wordFlags, lineStarts, lineEnds, lineWords, lineOpens } = scratch;
  const length = text.length;
  let words = 0;
  let lines = 0;
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
    wordStarts[words] = wordStart;
    wordEnds[words] = end;
    wordHashes[words] = finaliseHash(hash);
    wordFlags[words] = flagsOfWord;
    words++;
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
      if (words > wordsBeforeLine) {
        lineStarts[lines] = wordStarts[wordsBeforeLine];
        lineEnds[lines] = wordEnds[words - 1];
        lineWords[lines] = wordsBeforeLine;
        lineOpens[lines] = afterBlank;
        lines++;
        afterBlank = 0;
        wordsBeforeLine = words;
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
    words: { count: words, starts: wordStarts, ends: wordEnds, hashes: wordHashes, flags: wordFlags },
    lines: { count: lines, starts: lineStarts, ends: lineEnds, firstWords: lineWords, opensParagraph: lineOpens },
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

/** Arrays that grow to the longest text seen, so that a corpus of small documents allocates once. */
export class Scratch {
  wordStarts = new Int32Array(0);
  wordEnds = new Int32Array(0);
  wordHashes = new Int32Array(0);
  wordFlags = new Uint8Array(0);
  lineStarts = new Int32Array(0);
  lineEnds = new Int32Array(0);
  lineWords = new Int32Array(0);
  lineOpens = new Uint8Array(0);

  /** Makes room for a text of so many code units, in which every unit could be a word or every second one a line. */
  prepare(units: number): void {
    const words = units + 1;
    if (this.wordStarts.length >= words && this.wordStarts.length <= Math.max(words, largestKept)) return;
    const capacity = Math.max(1 << 16, words);
    this.wordStarts = new Int32Array(capacity);
    this.wordEnds = new Int32Array(capacity);
    this.wordHashes = new Int32Array(capacity);
    this.wordFlags = new Uint8Array(capacity);
    const lines = (capacity >> 1) + 1;
    this.lineStarts = new Int32Array(lines);
    this.lineEnds = new Int32Array(lines);
    this.lineWords = new Int32Array(lines);
    this.lineOpens = new Uint8Array(lines);
  }
}

/** Room for a longer text than this is given back with the next text. */
const largestKept = 1 << 22;
