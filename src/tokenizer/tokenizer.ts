/** Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): text to ids and back, without loss. */
import { Heap } from "./heap.ts";
import { forEachPiece, type PatternName } from "./pre-tokenizer.ts";

/** What defines a tokenizer: all that `tokenizer.json` says of it. */
export interface TokenizerDefinition {
  readonly pattern: PatternName;
  /** Bytes of every token by id; a special token's are its text. */
  readonly tokens: readonly Uint8Array[];
  /** Pairs of ids in the order in which they merge, each with the id it becomes. */
  readonly merges: readonly { readonly left: number; readonly right: number; readonly merged: number }[];
  /** Ids of special tokens by their text. Ordinary text never yields one. */
  readonly specialTokens: ReadonlyMap<string, number>;
}

interface Merge {
  readonly rank: number;
  readonly merged: number;
}

const cacheLimit = 1 << 16;

/** Encodes and decodes. Ids of the 256 single bytes exist always, so that any text has an encoding. */
export class Tokenizer {
  readonly vocabularySize: number;
  readonly endOfText: number;
  private readonly byteIds = new Int32Array(256).fill(-1);
  private readonly merges = new Map<number, Merge>();
  private readonly cache = new Map<string, Int32Array>();
  private readonly encoder = new TextEncoder();

  /** Throws RangeError where a byte has no token, or no special token `<|endoftext|>` exists. */
  constructor(readonly definition: TokenizerDefinition) {
    const { tokens, merges, specialTokens } = definition;
    this.vocabularySize = tokens.length;
    const special = new Set(specialTokens.values());
    tokens.forEach((bytes, id) => {
      if (bytes.length === 1 && !special.has(id)) this.byteIds[bytes[0]] = id;
    });
    const missing = this.byteIds.indexOf(-1);
    if (missing !== -1) throw new RangeError(`the vocabulary has no token for the byte ${missing}`);
    merges.forEach(({ left, right, merged }, rank) => {
      const key = this.keyOf(left, right);
      if (!this.merges.has(key)) this.merges.set(key, { rank, merged });
    });
    const endOfText = specialTokens.get("<|endoftext|>");
    if (endOfText === undefined) throw new RangeError("the vocabulary has no special token <|endoftext|>");
    this.endOfText = endOfText;
  }

  /**
   * Token ids of a text. Special tokens in it are ordinary characters unless `allowSpecial`; lone surrogates become
   * U+FFFD, as in every UTF-8 encoder.
   */
  encode(text: string, options: { readonly allowSpecial?: boolean } = {}): Int32Array {
    const ids: number[] = [];
    if (options.allowSpecial) {
      const names = [...this.definition.specialTokens.keys()].sort((a, b) => b.length - a.length);
      const expression = new RegExp(
        `(${names.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`,
        "u",
      );
      for (const part of text.split(expression)) {
        const special = this.definition.specialTokens.get(part);
        if (special === undefined) this.encodeInto(part, ids);
        else ids.push(special);
      }
    } else {
      this.encodeInto(text, ids);
    }
    return Int32Array.from(ids);
  }

  private encodeInto(text: string, ids: number[]): void {
    forEachPiece(text, this.definition.pattern, (piece) => {
      let encoded = this.cache.get(piece);
      if (encoded === undefined) {
        encoded = this.encodePiece(piece);
        // Emptied when full: the pieces that recur are back at once, and memory stays bounded.
        if (this.cache.size >= cacheLimit) this.cache.clear();
        if (piece.length <= 64) this.cache.set(piece, encoded);
      }
      for (const id of encoded) ids.push(id);
    });
  }

  /** Merges in order of rank, the leftmost first; a heap keeps long pieces at n · log n. */
  private encodePiece(piece: string): Int32Array {
    const bytes = this.encoder.encode(piece);
    const ids = Int32Array.from(bytes, (byte) => this.byteIds[byte]);
    const count = ids.length;
    const next = Int32Array.from({ length: count }, (_, i) => i + 1);
    const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
    const heap = new Heap<{ rank: number; at: number; left: number; right: number; merged: number }>(
      (a, b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at),
    );
    const consider = (at: number) => {
      if (at < 0 || next[at] >= count) return;
      const [left, right] = [ids[at], ids[next[at]]];
      const merge = this.merges.get(this.keyOf(left, right));
      if (merge !== undefined) heap.push({ ...merge, at, left, right });
    };
    for (let i = 0; i < count; i++) consider(i);
    for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
      const { at, left, right, merged } = entry;
      const second = next[at];
      // Stale where either side has merged meanwhile.
      if (ids[at] !== left || second >= count || ids[second] !== right) continue;
      ids[at] = merged;
      ids[second] = -1;
      next[at] = next[second];
      if (next[at] < count) previous[next[at]] = at;
      consider(at);
      consider(previous[at]);
    }
    return ids.filter((id) => id !== -1);
  }

  private keyOf(left: number, right: number): number {
    return left * this.vocabularySize + right;
  }

  /** The text of ids. Bytes that are not UTF-8 become U+FFFD. Throws RangeError for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string {
    const decoder = this.streamDecoder();
    let text = "";
    for (let i = 0; i < ids.length; i++) text += decoder.push(ids[i]);
    return text + decoder.end();
  }

  /** Decodes token by token; a character whose bytes are not complete yet is held back. */
  streamDecoder(): { push(id: number): string; end(): string } {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => decoder.decode(this.tokenBytes(id), { stream: true }),
      end: () => decoder.decode(),
    };
  }

  /** The bytes of a token. Throws RangeError for an id outside the vocabulary. */
  tokenBytes(id: number): Uint8Array {
    const bytes = this.definition.tokens[id];
    if (bytes === undefined) throw new RangeError(`token ${id} is outside a vocabulary of ${this.vocabularySize}`);
    return bytes;
  }
}
