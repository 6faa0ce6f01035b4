/** Word shingles as hashes: what MinHash compares. */
import { characterFlags, lowerCase, UNSPACED, WORD_PART } from "../normalise/characters.ts";
import { finaliseHash } from "../normalise/hashing.ts";

/** Two independent 32-bit hashes of every shingle of a text; `first[i]` and `second[i]` belong together. */
export interface Shingles {
  readonly count: number;
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/**
 * The word n-grams of a text. A word is a run of letters and digits in lower case, so that punctuation, layout and
 * case do not matter (datatrove normalises likewise, and also maps digits to 0: here they count, because tables and
 * version lists would otherwise all be alike). Scripts without spaces give one word a character.
 */
export function hashShingles(text: string, words: number): Shingles {
  const wordHashes = hashWords(text);
  const count = Math.max(0, wordHashes.first.length - words + 1);
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  for (let start = 0; start < count; start++) {
    let a = 0x2545f491;
    let b = 0x9e3779b9 | 0;
    for (let word = start; word < start + words; word++) {
      a = Math.imul(a ^ wordHashes.first[word], 0x85ebca6b);
      a ^= a >>> 15;
      b = Math.imul(b + wordHashes.second[word], 0x27d4eb2f);
      b ^= b >>> 13;
    }
    first[start] = finaliseHash(a);
    second[start] = finaliseHash(b);
  }
  return { count, first, second };
}

function hashWords(text: string): { first: Int32Array; second: Int32Array } {
  // Two characters a word at the least, unless the script has no spaces.
  let first = new Int32Array(Math.max(16, text.length >> 2));
  let second = new Int32Array(first.length);
  let count = 0;
  let a = 0;
  let b = 0;
  let length = 0;
  const endWord = () => {
    if (count === first.length) {
      first = grown(first);
      second = grown(second);
    }
    first[count] = finaliseHash(a);
    second[count] = finaliseHash(b ^ length);
    count++;
    length = 0;
  };
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const flags = characterFlags[unit];
    // A low surrogate has no flags of its own: it continues the word that its first half began.
    const continues = (flags & WORD_PART) !== 0 || (length > 0 && unit >= 0xdc00 && unit <= 0xdfff);
    if (length > 0 && (!continues || (flags & UNSPACED) !== 0)) endWord();
    if (!continues) continue;
    if (length === 0) {
      a = 0x811c9dc5 | 0;
      b = 0x165667b1;
    }
    const lower = lowerCase[unit];
    a = Math.imul(a ^ lower, 0x01000193);
    b = Math.imul(b + lower, 0x5bd1e995) ^ (b >>> 24);
    length++;
  }
  if (length > 0) endWord();
  return { first: first.subarray(0, count), second: second.subarray(0, count) };
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
