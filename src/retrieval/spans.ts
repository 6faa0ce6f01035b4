/** Which stretches of given token sequences stand word for word in a stream of documents: exact, in one pass, without an index. */

/** A longest stretch of one sequence that some document holds. */
export interface VerbatimSpan {
  /** Index of the sequence, and the stretch's first token in it. */
  readonly sequence: number;
  readonly start: number;
  readonly length: number;
  /** How often documents hold it: as long, and no longer. */
  readonly occurrences: number;
  /** The first documents that hold it, each with its first place: index of the document, and the token in it. */
  readonly places: readonly { readonly document: number; readonly offset: number }[];
}

const multiplier = 0x01000193;
const filterBits = 20;

/**
 * Looks for stretches of at least `minimum` tokens. Feed it document after document; no stretch reaches from one into the
 * next. Memory follows the sequences and what is found of them, not the documents; time is a few operations a token.
 */
export class SpanFinder {
  private readonly filter = new Uint8Array(1 << filterBits);
  private readonly windows = new Map<number, { sequence: number; start: number }[]>();
  private readonly found = new Map<string, { -readonly [Key in keyof VerbatimSpan]: VerbatimSpan[Key] }>();
  private readonly leaving: number;

  /** `places`: how many of each stretch are remembered. */
  constructor(
    private readonly sequences: readonly Int32Array[],
    private readonly minimum: number,
    private readonly places = 5,
  ) {
    if (!(Number.isInteger(minimum) && minimum >= 1)) throw new RangeError(`spans of at least ${minimum} tokens`);
    let leaving = 1;
    for (let i = 1; i < minimum; i++) leaving = Math.imul(leaving, multiplier);
    this.leaving = leaving;
    for (const [sequence, tokens] of sequences.entries()) {
      this.overWindows(tokens, (hash, start) => {
        this.filter[hash >>> (32 - filterBits)] = 1;
        const same = this.windows.get(hash);
        if (same === undefined) this.windows.set(hash, [{ sequence, start }]);
        else same.push({ sequence, start });
      });
    }
  }

  /** Searches one document's tokens. */
  search(document: number, tokens: Int32Array): void {
    if (this.windows.size === 0) return;
    this.overWindows(tokens, (hash, offset) => {
      if (this.filter[hash >>> (32 - filterBits)] === 0) return;
      for (const { sequence, start } of this.windows.get(hash) ?? []) {
        const wanted = this.sequences[sequence];
        // A match that could begin earlier was found there.
        if (start > 0 && offset > 0 && wanted[start - 1] === tokens[offset - 1]) continue;
        let length = 0;
        while (start + length < wanted.length && wanted[start + length] === tokens[offset + length]) length++;
        if (length >= this.minimum) this.note(sequence, start, length, { document, offset });
      }
    });
  }

  /** The stretches that no longer one of their sequence holds, in the order of sequences and places. */
  spans(): VerbatimSpan[] {
    const sorted = [...this.found.values()].sort(
      (a, b) => a.sequence - b.sequence || a.start - b.start || b.length - a.length,
    );
    let [sequence, reached] = [-1, -1];
    return sorted.filter((span) => {
      if (span.sequence !== sequence) [sequence, reached] = [span.sequence, -1];
      const end = span.start + span.length;
      if (end <= reached) return false;
      reached = end;
      return true;
    });
  }

  private note(sequence: number, start: number, length: number, place: VerbatimSpan["places"][number]): void {
    const key = `${sequence} ${start} ${length}`;
    const known = this.found.get(key);
    if (known === undefined) this.found.set(key, { sequence, start, length, occurrences: 1, places: [place] });
    else {
      known.occurrences += 1;
      const isOther = known.places.at(-1)?.document !== place.document;
      if (isOther && known.places.length < this.places) known.places = [...known.places, place];
    }
  }

  /** The rolling hash of every window of `minimum` tokens, with where it begins. */
  private overWindows(tokens: Int32Array, visit: (hash: number, start: number) => void): void {
    let hash = 0;
    for (let end = 0; end < tokens.length; end++) {
      if (end >= this.minimum) hash = (hash - Math.imul(mixed(tokens[end - this.minimum]), this.leaving)) | 0;
      hash = (Math.imul(hash, multiplier) + mixed(tokens[end])) | 0;
      if (end >= this.minimum - 1) visit(hash >>> 0, end - this.minimum + 1);
    }
  }
}

/** Ids are small numbers: spread over all bits before they are summed. */
function mixed(token: number): number {
  const spread = Math.imul(token + 1, 0x9e3779b1);
  return (spread ^ (spread >>> 15)) | 0;
}
