/** The text kernels in plain TypeScript: what the native ones must equal, and what runs where there is no compiler. */
import { characterFlags, lowerCase, UNSPACED, WHITE, WORD_PART } from "./characters.ts";
import { finaliseHash } from "./hashing.ts";
import type { GramMatches, GramTable, Hashes, HashFunctions, TextKernels, WordMode, Words } from "./kernels.ts";

/** Shingles are walked in blocks that stay in the first-level cache while all hash functions pass over them. */
const blockShingles = 1024;

export const referenceKernels: TextKernels = {
  name: "reference",
  words: hashWords,
  signature(text, shingle, functions) {
    const grams = hashGrams(text, shingle.words);
    return grams.count < shingle.minimum ? undefined : minimaOf(grams, functions);
  },
  grams: hashGrams,
  gramTable,
  findGrams,
  noteWindows(tokens, width, { bits, seen, repeated }) {
    forEachWindow(tokens, width, bits, (_, byte, mask) => {
      if (seen[byte] & mask) repeated[byte] |= mask;
      else seen[byte] |= mask;
    });
  },
  markWindows(tokens, width, { bits, repeated }) {
    const marks = new Uint8Array(tokens.count);
    forEachWindow(tokens, width, bits, (start, byte, mask) => {
      if (repeated[byte] & mask) marks.fill(1, start, start + width);
    });
    return marks;
  },
  markRepeats,
};

/**
 * The words of a text. In the mode "words" a word is a run of letters and digits in lower case, so that punctuation,
 * layout and case do not matter (datatrove normalises likewise, and also maps digits to 0: here they count, because
 * tables and version lists would otherwise all be alike); scripts without spaces give one word a character. In the
 * mode "tokens" runs of letters and digits count as written, and every other visible character is a token by itself.
 */
function hashWords(text: string, mode: WordMode): Words {
  const exact = mode === "tokens";
  const first: number[] = [];
  const second: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let a = 0;
  let b = 0;
  let start = -1;
  const begin = (index: number) => {
    start = index;
    a = 0x811c9dc5 | 0;
    b = 0x165667b1;
  };
  const take = (unit: number) => {
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b + unit, 0x5bd1e995);
    b ^= b >>> 24;
  };
  const end = (index: number) => {
    first.push(finaliseHash(a));
    second.push(finaliseHash(b ^ (index - start)));
    starts.push(start);
    ends.push(index);
    start = -1;
  };
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const flags = characterFlags[unit];
    // A low surrogate has no flags of its own: it continues the word that its first half began.
    const continues = (flags & WORD_PART) !== 0 || (start >= 0 && unit >= 0xdc00 && unit <= 0xdfff);
    if (start >= 0 && (!continues || (flags & UNSPACED) !== 0)) end(index);
    if (!continues) {
      if (!exact || (flags & WHITE) !== 0) continue;
      begin(index);
      take(unit);
      end(index + 1);
      continue;
    }
    if (start < 0) begin(index);
    take(exact ? unit : lowerCase[unit]);
  }
  if (start >= 0) end(text.length);
  return {
    count: first.length,
    first: Int32Array.from(first),
    second: Int32Array.from(second),
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
  };
}

function hashGrams(text: string, n: number): Hashes {
  return gramsOf(hashWords(text, "words"), n);
}

function gramsOf(words: Hashes, n: number): Hashes {
  const count = Math.max(0, words.count - n + 1);
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  for (let start = 0; start < count; start++) {
    let a = 0x2545f491;
    let b = 0x9e3779b9 | 0;
    for (let word = start; word < start + n; word++) {
      a = Math.imul(a ^ words.first[word], 0x85ebca6b);
      a ^= a >>> 15;
      b = Math.imul(b + words.second[word], 0x27d4eb2f);
      b ^= b >>> 13;
    }
    first[start] = finaliseHash(a);
    second[start] = finaliseHash(b);
  }
  return { count, first, second };
}

/** MinHash minima of a set given as hashes; equal hashes count once, whatever their number. */
export function minimaOf(shingles: Hashes, functions: HashFunctions): Uint32Array {
  const minima = new Int32Array(functions.first.length).fill(0x7fffffff);
  for (let start = 0; start < shingles.count; start += blockShingles) {
    const end = Math.min(shingles.count, start + blockShingles);
    for (let index = 0; index < minima.length; index++) {
      // Two odd multipliers over two independent hashes; the signed order is as good a permutation as any.
      const a = functions.first[index];
      const b = functions.second[index];
      let minimum = minima[index];
      for (let shingle = start; shingle < end; shingle++) {
        const value = (Math.imul(a, shingles.first[shingle]) + Math.imul(b, shingles.second[shingle])) | 0;
        if (value < minimum) minimum = value;
      }
      minima[index] = minimum;
    }
  }
  return new Uint32Array(minima.buffer);
}

/** (0, 0) marks a free slot, so that an n-gram with these hashes is entered under (1, 0). */
const keyLow = (first: number, second: number) => (first === 0 && second === 0 ? 1 : second >>> 0);

function gramTable({ count, first, second }: Hashes): GramTable {
  const slots = slotsFor(count);
  const keys = new Uint32Array(slots * 2);
  const values = new Uint32Array(slots);
  for (let gram = 0; gram < count; gram++) {
    const low = keyLow(first[gram], second[gram]);
    const slot = slotOf(keys, slots, low, first[gram] >>> 0);
    if (keys[slot * 2] !== 0 || keys[slot * 2 + 1] !== 0) continue;
    keys[slot * 2] = low;
    keys[slot * 2 + 1] = first[gram];
    values[slot] = gram;
  }
  return { keys, values };
}

/** Slots of a table for so many n-grams: a power of two, at most half full. */
export function slotsFor(count: number): number {
  let slots = 2;
  while (slots < count * 2) slots *= 2;
  return slots;
}

/** The slot that holds the key, or the free one where it would be. */
function slotOf(keys: Uint32Array, slots: number, low: number, high: number): number {
  let slot = (low & (slots - 1)) >>> 0;
  while (
    (keys[slot * 2] !== 0 || keys[slot * 2 + 1] !== 0) &&
    (keys[slot * 2] !== low || keys[slot * 2 + 1] !== high)
  ) {
    slot = (slot + 1) & (slots - 1);
  }
  return slot;
}

function findGrams(text: string, n: number, { keys, values }: GramTable): GramMatches {
  const words = hashWords(text, "words");
  const grams = gramsOf(words, n);
  const starts: number[] = [];
  const ends: number[] = [];
  const found: number[] = [];
  for (let gram = 0; gram < grams.count; gram++) {
    const low = keyLow(grams.first[gram], grams.second[gram]);
    const slot = slotOf(keys, values.length, low, grams.first[gram] >>> 0);
    if (keys[slot * 2] === 0 && keys[slot * 2 + 1] === 0) continue;
    starts.push(words.starts[gram]);
    ends.push(words.ends[gram + n - 1]);
    found.push(values[slot]);
  }
  return {
    count: found.length,
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
    values: Uint32Array.from(found),
  };
}

const base = 0x9e3779b97f4a7c15n;
const mask64 = (1n << 64n) - 1n;
const mixed = (hash: bigint) => {
  const folded = ((hash ^ (hash >> 32n)) * 0xd6e8feb86659fd93n) & mask64;
  return folded ^ (folded >> 32n);
};

/** Visits every window of `width` tokens with the place of its bit in a set of 2^bits. */
function forEachWindow(
  { count, first, second }: Hashes,
  width: number,
  bits: number,
  visit: (start: number, byte: number, mask: number) => void,
): void {
  const power = (base ** BigInt(width - 1)) & mask64;
  const token = (index: number) => mixed((BigInt(first[index] >>> 0) << 32n) | BigInt(second[index] >>> 0));
  let hash = 0n;
  for (let index = 0; index < count; index++) {
    if (index >= width) hash = (hash - token(index - width) * power) & mask64;
    hash = (hash * base + token(index)) & mask64;
    if (index < width - 1) continue;
    const bit = mixed(hash) >> BigInt(64 - bits);
    visit(index - width + 1, Number(bit >> 3n), 1 << Number(bit & 7n));
  }
}

function markRepeats({ count, first, second }: Hashes, width: number): Uint8Array {
  const marks = new Uint8Array(count);
  const firstPlace = new Map<string, number>();
  const names = Array.from({ length: count }, (_, index) => `${first[index]},${second[index]}`);
  let document = 0;
  for (let start = 0; start + width <= count; start++) {
    if (start >= document) {
      const end = names.indexOf("0,0", start);
      document = end < 0 ? count : end;
    }
    if (start === document) {
      document++;
      continue;
    }
    if (start + width > document) continue;
    const window = names.slice(start, start + width).join(" ");
    const kept = firstPlace.get(window);
    if (kept === undefined) firstPlace.set(window, start);
    else marks.fill(1, Math.max(start, kept + width), start + width);
  }
  return marks;
}
