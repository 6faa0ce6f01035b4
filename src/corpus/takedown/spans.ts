/** Windows of 50 tokens as 53-bit hashes: what proves that nothing of a document is left anywhere. */

export const spanTokens = 50;

/** Words and single marks as 32-bit hashes: the tokens of a text that do not depend on a tokenizer. */
export function textTokens(text: string): Int32Array {
  const tokens = text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
  return Int32Array.from(tokens, (token) => {
    let hash = 0x811c9dc5;
    for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
    return hash;
  });
}

const [firstBase, secondBase] = [0x2c1b3c6d | 1, 0x297a2d39 | 1];

function power(base: number, exponent: number): number {
  let result = 1;
  for (let i = 0; i < exponent; i++) result = Math.imul(result, base);
  return result;
}

const [firstTop, secondTop] = [power(firstBase, spanTokens), power(secondBase, spanTokens)];

/** Calls `visit` with the hash of every window of `spanTokens` tokens and its place. */
export function forEachSpan(tokens: Int32Array, visit: (key: number, start: number) => void): void {
  let [first, second] = [0, 0];
  for (let i = 0; i < tokens.length; i++) {
    const value = Math.imul(tokens[i] ^ (tokens[i] >>> 15), 0x85ebca6b) + 1;
    first = (Math.imul(first, firstBase) + value) | 0;
    second = (Math.imul(second, secondBase) + value) | 0;
    if (i >= spanTokens) {
      const old = Math.imul(tokens[i - spanTokens] ^ (tokens[i - spanTokens] >>> 15), 0x85ebca6b) + 1;
      first = (first - Math.imul(old, firstTop)) | 0;
      second = (second - Math.imul(old, secondTop)) | 0;
    }
    if (i >= spanTokens - 1) visit((first >>> 0) * 0x200000 + ((second >>> 0) & 0x1fffff), i - spanTokens + 1);
  }
}

/** The spans of several token sequences. */
export class SpanSet {
  private readonly keys = new Set<number>();

  add(tokens: Int32Array): void {
    forEachSpan(tokens, (key) => this.keys.add(key));
  }

  get size(): number {
    return this.keys.size;
  }

  /** How many windows of the sequence are in the set. */
  countIn(tokens: Int32Array): number {
    let count = 0;
    forEachSpan(tokens, (key) => {
      if (this.keys.has(key)) count++;
    });
    return count;
  }
}
