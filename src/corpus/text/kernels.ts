/** The hot loops over text that exist twice: in C++ (native/text) and, as their specification, in TypeScript. */

/** How a text is cut; see `hashWords` in reference.ts. */
export type WordMode = "words" | "tokens";

/** Words with two independent 32-bit hashes and their places in UTF-16 code units. */
export interface Words {
  readonly count: number;
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Hashes of n-grams, shingles or tokens; `first[i]` and `second[i]` belong together. */
export interface Hashes {
  readonly count: number;
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/** The multipliers of MinHash's functions. */
export interface HashFunctions {
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/** A set of n-grams: open addressing, a pair (second, first) of hashes a slot, (0, 0) where it is free. */
export interface GramTable {
  /** 2 × slots; slots is a power of two. */
  readonly keys: Uint32Array;
  /** The index of the first n-gram with the slot's hashes. */
  readonly values: Uint32Array;
}

/** N-grams of a text that are in a table: places in code units, and the table's values. */
export interface GramMatches {
  readonly count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly values: Uint32Array;
}

/** Two bit sets over hashes of windows: which were seen, which were seen again. */
export interface WindowFilter {
  readonly bits: number;
  readonly seen: Uint8Array;
  readonly repeated: Uint8Array;
}

/** Where a scan writes the words and lines that it finds; see `WordList` and `LineList` of the filters. */
export interface ScanArrays {
  readonly words: { starts: Int32Array; ends: Int32Array; hashes: Int32Array; flags: Uint8Array };
  readonly lines: { starts: Int32Array; ends: Int32Array; firstWords: Int32Array; opensParagraph: Int32Array };
}

/** Results of native and reference are equal, bit for bit. What they return lasts until the next call. */
export interface TextKernels {
  readonly name: "native" | "reference";
  /**
   * The pass of filters/scan.ts, which is its own reference and works where this is absent. Writes what fits into the
   * arrays and returns 13 figures in the order of native/text/scan.cpp, words and lines first.
   */
  readonly scan?: (text: string, arrays: ScanArrays) => Float64Array;
  words(text: string, mode: WordMode): Words;
  /** MinHash minima over word shingles, one a function; undefined with fewer than `minimumShingles`. Not reused. */
  signature(
    text: string,
    shingle: { readonly words: number; readonly minimum: number },
    functions: HashFunctions,
  ): Uint32Array | undefined;
  /** The hashes of all n-grams of `n` words. */
  grams(text: string, n: number): Hashes;
  gramTable(grams: Hashes): GramTable;
  findGrams(text: string, n: number, table: GramTable): GramMatches;
  /** Enters every window of `width` tokens into the filter. */
  noteWindows(tokens: Hashes, width: number, filter: WindowFilter): void;
  /** 1 for every token of a window that may occur elsewhere; a false alarm costs time alone. */
  markWindows(tokens: Hashes, width: number, filter: WindowFilter): Uint8Array;
  /**
   * 1 for every token of a repeat of at least `width` tokens that is not its first occurrence. The hashes (0, 0) end a
   * document. Of repeats that overlap their first occurrence only what is beyond it is marked.
   */
  markRepeats(tokens: Hashes, width: number): Uint8Array;
}
