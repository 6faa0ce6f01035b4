/** Counting repeats by hash: what the repetition filters share. */

/**
 * A set of 32-bit hashes with a count each: open addressing in typed arrays, because a `Map` of n-gram strings is what
 * makes such filters slow. Two different n-grams share a hash once in 4 billion pairs, which moves a share by less
 * than a thousandth even in a document of a million words.
 */
export class HashCounter {
  private keys = new Int32Array(1024);
  private counts = new Int32Array(1024);
  private mask = 1023;

  /** Empties the counter and makes room for so many hashes. */
  reset(hashes: number): void {
    let capacity = 1024;
    while (capacity < hashes * 2) capacity *= 2;
    const keepsLarger = this.keys.length > capacity && this.keys.length <= largestKept;
    if (this.keys.length !== capacity && !keepsLarger) {
      this.keys = new Int32Array(capacity);
      this.counts = new Int32Array(capacity);
    } else {
      // Only the part in use is cleared, so that a short text after a long one stays cheap.
      this.counts.fill(0, 0, capacity);
    }
    this.mask = capacity - 1;
  }

  /** Counts `hash` once more and returns how often it has occurred now. */
  add(hash: number): number {
    let slot = hash & this.mask;
    while (this.counts[slot] !== 0) {
      if (this.keys[slot] === hash) return ++this.counts[slot];
      slot = (slot + 1) & this.mask;
    }
    this.keys[slot] = hash;
    this.counts[slot] = 1;
    return 1;
  }

  /** How often `hash` has occurred. */
  count(hash: number): number {
    let slot = hash & this.mask;
    while (this.counts[slot] !== 0 && this.keys[slot] !== hash) slot = (slot + 1) & this.mask;
    return this.counts[slot];
  }
}

const largestKept = 1 << 22;

/** Extends the hash of a sequence by one more element; the order counts. */
export function extendHash(hash: number, next: number): number {
  let mixed = Math.imul(Math.imul(hash, 0x9e3779b1) + next, 0x85ebca6b);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
