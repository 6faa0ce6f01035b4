/** A byte-level 5-gram model with interpolated modified Kneser–Ney smoothing (Chen & Goodman 1998). */

const order = 5;
/** The symbol that stands before and after a document. */
const boundary = 256;
const symbols = 257;

/** What one order knows: n-gram counts by key, and for each context its total and how many n-grams have count 1, 2, 3+. */
interface Level {
  readonly ngrams: KeyTable;
  readonly counts: Float64Array;
  readonly contexts: KeyTable;
  readonly totals: Float64Array;
  /** [contexts, 3] */
  readonly kinds: Float64Array;
  /** Discounts for counts 1, 2 and 3+. */
  readonly discounts: readonly [number, number, number];
}

/** Positions of numeric keys: open addressing over typed arrays. */
class KeyTable {
  private readonly slots: Int32Array;
  private readonly mask: number;

  /** @param keys distinct */
  constructor(private readonly keys: Float64Array) {
    let capacity = 16;
    while (capacity < keys.length * 2) capacity *= 2;
    this.mask = capacity - 1;
    this.slots = new Int32Array(capacity).fill(-1);
    keys.forEach((key, index) => {
      let slot = this.slotOf(key);
      while (this.slots[slot] !== -1) slot = (slot + 1) & this.mask;
      this.slots[slot] = index;
    });
  }

  private slotOf(key: number): number {
    const low = key % 4294967296;
    const high = (key - low) / 4294967296;
    let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x2c1b3c6d) & this.mask;
  }

  /** The index of a key, or −1. */
  find(key: number): number {
    for (let slot = this.slotOf(key); ; slot = (slot + 1) & this.mask) {
      const index = this.slots[slot];
      if (index === -1 || this.keys[index] === key) return index;
    }
  }
}

/** Probabilities of the next byte (or the end) from the four before it. */
export class NgramModel {
  private constructor(private readonly levels: readonly Level[]) {}

  /** Counts the documents. Memory is some 50 bytes a training byte while counting, far less afterwards. */
  static train(documents: Iterable<Uint8Array>): NgramModel {
    const all = [...documents];
    const keys = new Float64Array(all.reduce((sum, { length }) => sum + length + 1, 0));
    let at = 0;
    for (const document of all) {
      let key = startKey();
      for (let i = 0; i <= document.length; i++) {
        key = shift(key, i < document.length ? document[i] : boundary);
        keys[at++] = key;
      }
    }
    const levels: Level[] = [];
    let { distinct, counts } = countSorted(keys.sort());
    for (let length = order; length >= 1; length--) {
      levels[length - 1] = levelOf(distinct, counts);
      if (length === 1) break;
      // Lower orders count in how many contexts an n-gram continues, not how often it occurs.
      const modulus = symbols ** (length - 1);
      ({ distinct, counts } = countSorted(distinct.map((key) => key % modulus).sort()));
    }
    return new NgramModel(levels);
  }

  /** P(symbol | the symbols before it); `key` holds the last four symbols in base 257, `symbol` is a byte or 256. */
  probability(history: number, symbol: number): number {
    let probability = 1 / symbols;
    for (let length = 1; length <= order; length++) {
      const level = this.levels[length - 1];
      const context = history % symbols ** (length - 1);
      const found = level.contexts.find(context);
      if (found === -1) continue;
      const [d1, d2, d3] = level.discounts;
      const ngram = level.ngrams.find(context * symbols + symbol);
      const count = ngram === -1 ? 0 : level.counts[ngram];
      const discount = count === 0 ? 0 : count === 1 ? d1 : count === 2 ? d2 : d3;
      const kinds = level.kinds;
      const reserved = d1 * kinds[3 * found] + d2 * kinds[3 * found + 1] + d3 * kinds[3 * found + 2];
      probability = (count - discount + reserved * probability) / level.totals[found];
    }
    return probability;
  }

  /** Bits a byte over documents, each begun afresh, its end scored too. */
  bitsPerByte(documents: Iterable<Uint8Array>): number {
    let bits = 0;
    let bytes = 0;
    for (const document of documents) {
      let key = startKey();
      for (let i = 0; i <= document.length; i++) {
        const symbol = i < document.length ? document[i] : boundary;
        bits -= Math.log2(this.probability(key % symbols ** (order - 1), symbol));
        key = shift(key, symbol);
      }
      bytes += document.length;
    }
    return bits / bytes;
  }
}

/** The history at the start of a document. */
export function startKey(): number {
  let key = 0;
  for (let i = 0; i < order - 1; i++) key = key * symbols + boundary;
  return key;
}

/** The history after one more symbol. 257⁵ < 2⁴¹: exact in a double. */
export function shift(key: number, symbol: number): number {
  return (key % symbols ** (order - 1)) * symbols + symbol;
}

function countSorted(keys: Float64Array): { distinct: Float64Array; counts: Float64Array } {
  let total = 0;
  for (let i = 0; i < keys.length; i++) if (i === 0 || keys[i] !== keys[i - 1]) total += 1;
  const distinct = new Float64Array(total);
  const counts = new Float64Array(total);
  let at = -1;
  for (let i = 0; i < keys.length; i++) {
    if (i === 0 || keys[i] !== keys[i - 1]) distinct[++at] = keys[i];
    counts[at] += 1;
  }
  return { distinct, counts };
}

function levelOf(distinct: Float64Array, counts: Float64Array): Level {
  const contextOf = (key: number) => Math.floor(key / symbols);
  const { distinct: contextKeys } = countSorted(distinct.map(contextOf));
  const contexts = new KeyTable(contextKeys);
  const totals = new Float64Array(contextKeys.length);
  const kinds = new Float64Array(contextKeys.length * 3);
  const withCount = [0, 0, 0, 0, 0];
  distinct.forEach((key, index) => {
    const context = contexts.find(contextOf(key));
    const count = counts[index];
    totals[context] += count;
    kinds[3 * context + Math.min(count, 3) - 1] += 1;
    if (count <= 4) withCount[count] += 1;
  });
  return { ngrams: new KeyTable(distinct), counts, contexts, totals, kinds, discounts: discountsOf(withCount) };
}

/** D₁, D₂, D₃₊ from how many n-grams have counts 1 to 4. Small texts can lack some: then half of the count is kept. */
function discountsOf(n: readonly number[]): [number, number, number] {
  const y = n[1] / (n[1] + 2 * n[2]);
  const discount = (count: 1 | 2 | 3) => {
    const value = count - ((count + 1) * y * n[count + 1]) / n[count];
    return Number.isFinite(value) && value > 0 && value < count ? value : count / 2;
  };
  return [discount(1), discount(2), discount(3)];
}
