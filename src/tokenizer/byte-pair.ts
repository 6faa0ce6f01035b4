/** Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): text to ids and back, without loss. */
import { availableParallelism } from "node:os";
import { bytePairJson } from "./byte-pair-json.ts";
import { Heap } from "./heap.ts";
import { freeWith, packTexts, patternNumber, type TokenizerLibrary, tokenizerLibrary } from "./native.ts";
import { forEachPiece, type PatternName } from "./pre-tokenizer.ts";
import { splitAtSpecial, type Tokenizer } from "./tokenizer.ts";

/** What defines a tokenizer: all that `tokenizer.json` says of it. */
export interface BytePairDefinition {
  readonly pattern: PatternName;
  /** Bytes of every token by id; a special token's are its text. */
  readonly tokens: readonly Uint8Array[];
  /**
   * Pairs of ids, each with the id it becomes. Those of lower rank merge first, of equal rank the leftmost; the rank is the
   * place in this list where it is left out.
   */
  readonly merges: readonly {
    readonly left: number;
    readonly right: number;
    readonly merged: number;
    readonly rank?: number;
  }[];
  /** Ids of special tokens by their text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** A piece that is a token is taken whole, whatever the merges say (Llama 3, tiktoken). */
  readonly ignoreMerges?: boolean;
  /** Texts are brought to Unicode's composed form first (Qwen 2). */
  readonly normalizer?: "NFC";
  /** The special token that ends a document; see `endOfTextNames`. */
  readonly endOfText?: string;
}

/** Special tokens that end documents, in the order in which they are looked for. */
export const endOfTextNames = [
  ...["<|endoftext|>", "<|end_of_text|>", "[SEP]", "</s>", "<eos>", "<|eot_id|>", "<|im_end|>"],
];

interface Merge {
  readonly rank: number;
  readonly merged: number;
}

const cacheLimit = 1 << 16;

/** Encodes and decodes. Ids of the 256 single bytes exist always, so that any text has an encoding. */
export class BytePairTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly specialTokens: ReadonlyMap<string, number>;
  private readonly byteIds = new Int32Array(256).fill(-1);
  private readonly merges = new Map<number, Merge>();
  private readonly whole = new Map<string, number>();
  private readonly cache = new Map<string, Int32Array>();
  private readonly encoder = new TextEncoder();
  private handle: number | bigint | undefined;

  /** Throws RangeError where a byte has no token, or no special token ends a document. */
  constructor(readonly definition: BytePairDefinition) {
    const { tokens, merges, specialTokens } = definition;
    this.vocabularySize = tokens.length;
    this.specialTokens = specialTokens;
    const special = new Set(specialTokens.values());
    tokens.forEach((bytes, id) => {
      if (bytes.length === 1 && !special.has(id)) this.byteIds[bytes[0]] = id;
      if (definition.ignoreMerges && !special.has(id)) this.whole.set(Buffer.from(bytes).toString("latin1"), id);
    });
    const missing = this.byteIds.indexOf(-1);
    if (missing !== -1) throw new RangeError(`the vocabulary has no token for the byte ${missing}`);
    merges.forEach(({ left, right, merged, rank }, index) => {
      const key = this.keyOf(left, right);
      if (!this.merges.has(key)) this.merges.set(key, { rank: rank ?? index, merged });
    });
    const name = [definition.endOfText ?? "", ...endOfTextNames].find((one) => specialTokens.has(one));
    if (name === undefined) throw new RangeError("the vocabulary has no special token <|endoftext|> or its like");
    this.endOfText = specialTokens.get(name)!;
  }

  encode(text: string, options: { readonly allowSpecial?: boolean } = {}): Int32Array {
    if (!options.allowSpecial) return this.encodeBatch([text], 1)[0];
    const parts: Int32Array[] = [];
    splitAtSpecial(
      text,
      this.specialTokens,
      (id) => parts.push(Int32Array.of(id)),
      (part) => parts.push(this.encode(part)),
    );
    const ids = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      ids.set(part, at);
      at += part.length;
    }
    return ids;
  }

  encodeBatch(texts: readonly string[], threads: number = availableParallelism()): Int32Array[] {
    const normal = this.definition.normalizer === "NFC" ? texts.map((text) => text.normalize("NFC")) : texts;
    const library = tokenizerLibrary();
    if (library === undefined) return normal.map((text) => this.encodeByReference(text));
    const { bytes, offsets } = packTexts(normal);
    const ids = new Int32Array(Number(offsets[texts.length]));
    const counts = new Int32Array(texts.length);
    library.tokenizer_encode(this.nativeHandle(library), bytes, offsets, texts.length, ids, counts, threads);
    return Array.from(counts, (count, i) => ids.slice(Number(offsets[i]), Number(offsets[i]) + count));
  }

  private nativeHandle(library: TokenizerLibrary): number | bigint {
    if (this.handle !== undefined) return this.handle;
    const { definition, byteIds } = this;
    const { tokens, merges } = definition;
    const offsets = new BigInt64Array(tokens.length + 1);
    for (const [id, bytes] of tokens.entries()) offsets[id + 1] = offsets[id] + BigInt(bytes.length);
    const special = new Uint8Array(tokens.length);
    for (const id of this.specialTokens.values()) special[id] = 1;
    const column = (value: (merge: BytePairDefinition["merges"][number], index: number) => number) =>
      Int32Array.from(merges, value);
    const handle = library.tokenizer_create(
      patternNumber(definition.pattern),
      Number(definition.ignoreMerges ?? false),
      byteIds,
      tokens.length,
      offsets,
      Buffer.concat(tokens as Uint8Array[]),
      special,
      merges.length,
      column(({ left }) => left),
      column(({ right }) => right),
      column(({ rank }, index) => rank ?? index),
      column(({ merged }) => merged),
    );
    freeWith(this, () => library.tokenizer_free(handle));
    this.handle = handle;
    return handle;
  }

  /** `encode` in TypeScript: the specification of the native kernel, and what works without a compiler. */
  encodeByReference(text: string): Int32Array {
    const ids: number[] = [];
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
    return Int32Array.from(ids);
  }

  /** Merges in order of rank, the leftmost first; a heap keeps long pieces at n · log n. */
  private encodePiece(piece: string): Int32Array {
    const bytes = this.encoder.encode(piece);
    const known = this.whole.get(Buffer.from(bytes).toString("latin1"));
    if (known !== undefined) return Int32Array.of(known);
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

  decode(ids: ArrayLike<number>): string {
    const decoder = this.streamDecoder();
    let text = "";
    for (let i = 0; i < ids.length; i++) text += decoder.push(ids[i]);
    return text + decoder.end();
  }

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

  toJson(): string {
    return bytePairJson(this.definition);
  }
}
