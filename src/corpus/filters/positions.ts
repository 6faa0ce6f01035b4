/** Lists of words and lines in typed arrays that grow as needed and are reused from text to text. */

const initialCapacity = 1 << 14;
const largestKept = 1 << 22;

/** Words of a text: position, hash, kind of characters. */
export class WordList {
  count = 0;
  /** Where each begins and, exclusively, ends. */
  starts = new Int32Array(initialCapacity);
  ends = new Int32Array(initialCapacity);
  /** 32-bit hash of the word as written. */
  hashes = new Int32Array(initialCapacity);
  /** `LETTER` and `DIGIT` where the word has one. */
  flags = new Uint8Array(initialCapacity);

  clear(): void {
    this.count = 0;
    // A single huge document must not hold its memory for the rest of the run.
    if (this.starts.length > largestKept) this.resize(initialCapacity);
  }

  /** Makes room for so many. */
  reserve(count: number): void {
    if (count > this.starts.length) this.resize(count);
  }

  add(start: number, end: number, hash: number, flags: number): void {
    const index = this.count;
    if (index === this.starts.length) this.resize(index * 2);
    this.starts[index] = start;
    this.ends[index] = end;
    this.hashes[index] = hash;
    this.flags[index] = flags;
    this.count = index + 1;
  }

  private resize(capacity: number): void {
    this.starts = resized(this.starts, capacity);
    this.ends = resized(this.ends, capacity);
    this.hashes = resized(this.hashes, capacity);
    const flags = new Uint8Array(capacity);
    flags.set(this.flags.subarray(0, capacity));
    this.flags = flags;
  }
}

/** Lines of a text that are not blank. */
export class LineList {
  count = 0;
  /** Without the white space at both ends. */
  starts = new Int32Array(initialCapacity);
  ends = new Int32Array(initialCapacity);
  firstWords = new Int32Array(initialCapacity);
  /** 1 where a blank line, or the text's beginning, stands before the line. */
  opensParagraph = new Int32Array(initialCapacity);

  clear(): void {
    this.count = 0;
    if (this.starts.length > largestKept) this.resize(initialCapacity);
  }

  /** Makes room for so many. */
  reserve(count: number): void {
    if (count > this.starts.length) this.resize(count);
  }

  add(start: number, end: number, firstWord: number, opensParagraph: number): void {
    const index = this.count;
    if (index === this.starts.length) this.resize(index * 2);
    this.starts[index] = start;
    this.ends[index] = end;
    this.firstWords[index] = firstWord;
    this.opensParagraph[index] = opensParagraph;
    this.count = index + 1;
  }

  private resize(capacity: number): void {
    this.starts = resized(this.starts, capacity);
    this.ends = resized(this.ends, capacity);
    this.firstWords = resized(this.firstWords, capacity);
    this.opensParagraph = resized(this.opensParagraph, capacity);
  }
}

function resized(array: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(capacity);
  copy.set(array.subarray(0, capacity));
  return copy;
}
