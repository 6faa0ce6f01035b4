/** Random numbers that depend on their keys alone, so that step 7 of seed 3 is the same on every machine and resume. */

/** A 32-bit mix of the keys (murmur3's finalizer, chained). */
export function mixKeys(...keys: number[]): number {
  let hash = 0x9e3779b9;
  for (const key of keys) {
    hash = Math.imul(hash ^ (key | 0), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash ^ Math.floor(key / 0x100000000), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** sfc32 (PractRand): a small fast generator with 128 bits of state. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  /** A stream of its own for every distinct list of keys (seed, purpose, step, …). */
  constructor(...keys: number[]) {
    this.a = mixKeys(...keys, 1);
    this.b = mixKeys(...keys, 2);
    this.c = mixKeys(...keys, 3);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** An integer in [0, 2³²). */
  uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A double in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    return (high * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** An integer in [0, bound), without modulo bias for any bound up to 2⁵³. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** A sample of N(0, 1) (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

/**
 * The image of `index` under a pseudo-random permutation of [0, length) (cycle-walking Feistel network, 4 rounds).
 * Needs no memory, so that the order of any epoch can be entered at any step.
 */
export function permute(index: number, length: number, ...keys: number[]): number {
  if (length <= 1) return 0;
  const halfBits = Math.ceil(Math.ceil(Math.log2(length)) / 2);
  const half = 2 ** halfBits;
  let value = index;
  do {
    let left = Math.floor(value / half);
    let right = value % half;
    for (let round = 0; round < 4; round++) {
      const mixed = (left ^ (mixKeys(...keys, round, right) & (half - 1))) >>> 0;
      left = right;
      right = mixed;
    }
    value = left * half + right;
  } while (value >= length);
  return value;
}
