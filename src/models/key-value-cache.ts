/** Keys and values of several sequences of a decoder, each with a length of its own, in pages that they share. */
import {
  type AttentionShape,
  attentionPageTokens,
  type ElementType,
  type Engine,
  elementBytes,
  rows,
  type Storage,
  splitPackedHeads,
  type Tensor,
  tensorOver,
  type Variable,
} from "../engine/index.ts";
import { CachePages, type PageKey, pageKey } from "./cache-pages.ts";

/** Tokens that follow those already held of one sequence. */
export interface CachedSpan {
  readonly sequence: number;
  readonly tokens: Int32Array;
}

/** The sizes of a decoder that its cache depends on. */
export interface CacheShape {
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Tokens that each sees, itself included; all before it if left out. */
  readonly window?: number;
}

/** How much a cache holds beside a full one for every sequence, and whether beginnings are shared. */
export interface CacheOptions {
  /** Pages of `attentionPageTokens` tokens that all sequences share; enough for all of them to be full if left out. */
  readonly pages?: number;
  /** Whether full pages are remembered, so that a sequence that begins with the same tokens takes them over. */
  readonly remembers?: boolean;
}

/** A sequence in the cache. */
interface Held {
  readonly pages: number[];
  /** Keys of its full pages, where they are remembered. */
  readonly keys: PageKey[];
  /** Tokens of the page that is not full yet, where they are remembered. */
  readonly begun: number[];
}

/**
 * Room for `sequences` sequences of up to `capacity` tokens each, in pages that they take as they grow (Kwon et al. 2023). A
 * decoder fills it through `pass`.
 */
export class KeyValueCache {
  /** Tokens held of every sequence. */
  readonly lengths: number[];
  /** That of activations. */
  private readonly type: ElementType;
  private readonly storages: Storage[];
  private readonly pages: CachePages;
  private readonly held: Held[];
  private readonly remembers: boolean;

  constructor(
    private readonly engine: Engine,
    private readonly shape: CacheShape,
    readonly capacity: number,
    readonly sequences = 1,
    { pages = sequences * pagesOf(capacity), remembers = false }: CacheOptions = {},
  ) {
    if (pages < pagesOf(capacity)) {
      throw new RangeError(`${pages} pages of ${attentionPageTokens} tokens do not hold a sequence of ${capacity}`);
    }
    this.type = engine.backend.precision;
    this.pages = new CachePages(pages);
    this.remembers = remembers;
    const bytes = pages * attentionPageTokens * shape.keyValueHeads * shape.headSize * elementBytes[this.type];
    this.storages = Array.from({ length: 2 * shape.layers }, () => engine.backend.allocate(bytes));
    this.lengths = new Array<number>(sequences).fill(0);
    this.held = Array.from({ length: sequences }, () => ({ pages: [], keys: [], begun: [] }));
  }

  /** Tokens that could be taken in now. */
  get freeTokens(): number {
    return this.pages.free * attentionPageTokens;
  }

  /** Tokens of all pages. */
  get tokens(): number {
    return this.pages.count * attentionPageTokens;
  }

  /** Forgets all but the first `length` tokens of a sequence. Throws RangeError for a cut inside a page that is remembered. */
  truncate(sequence: number, length: number): void {
    if (length > this.lengths[sequence]) return;
    const { pages, keys, begun } = this.held[sequence];
    const kept = pagesOf(length);
    if (length % attentionPageTokens !== 0 && this.remembers) {
      throw new RangeError(`a cache that remembers pages is cut at their ends only, not after ${length} tokens`);
    }
    for (const page of pages.splice(kept)) this.pages.release(page);
    keys.splice(Math.floor(length / attentionPageTokens));
    begun.length = 0;
    this.lengths[sequence] = length;
  }

  /**
   * Takes over the longest remembered beginning of `tokens`, in whole pages, for an empty sequence; at least one token is left to
   * be computed. Returns how many tokens it took.
   */
  reuse(sequence: number, tokens: Int32Array): number {
    const { pages, keys } = this.held[sequence];
    if (!this.remembers || this.lengths[sequence] > 0) return 0;
    while ((pages.length + 1) * attentionPageTokens < tokens.length) {
      const first = pages.length * attentionPageTokens;
      const key = pageKey(keys.at(-1), tokens.subarray(first, first + attentionPageTokens));
      const page = this.pages.share(key);
      if (page === undefined) break;
      pages.push(page);
      keys.push(key);
    }
    this.lengths[sequence] = pages.length * attentionPageTokens;
    return this.lengths[sequence];
  }

  /** Takes the pages that `count` more tokens of a sequence need. False, and nothing taken, where there are too few. */
  reserve(sequence: number, count: number): boolean {
    const { pages } = this.held[sequence];
    const missing = pagesOf(this.lengths[sequence] + count) - pages.length;
    if (missing > this.pages.free) return false;
    for (let taken = 0; taken < missing; taken++) pages.push(this.pages.take()!);
    return true;
  }

  /**
   * Prepares one forward pass over `spans`, whose tokens stand one after the other. Throws RangeError where a span is
   * empty or does not fit. Call `finish` once all layers have attended.
   */
  pass(spans: readonly CachedSpan[]): CachedPass {
    for (const { sequence, tokens } of spans) {
      const total = this.lengths[sequence] + tokens.length;
      if (!(tokens.length > 0 && total <= this.capacity && this.reserve(sequence, tokens.length))) {
        throw new RangeError(`${total} tokens of sequence ${sequence} do not fit a cache of ${this.capacity}`);
      }
    }
    return new CachedPass(this.engine, this, this.shape, spans);
  }

  /** Pages of a sequence, in the order of its tokens. */
  pagesOf(sequence: number): readonly number[] {
    return this.held[sequence].pages;
  }

  /** Keys (0) or values (1) of a layer, page after page: [pages · attentionPageTokens, keyValueHeads · headSize]. */
  tensor(layer: number, which: 0 | 1): Tensor {
    const { keyValueHeads, headSize } = this.shape;
    const shape = [this.tokens, keyValueHeads * headSize];
    return tensorOver(this.storages[2 * layer + which], shape, this.type);
  }

  /** Counts tokens as held. */
  add({ sequence, tokens }: CachedSpan): void {
    this.lengths[sequence] += tokens.length;
    if (!this.remembers) return;
    const { pages, keys, begun } = this.held[sequence];
    for (const token of tokens) {
      begun.push(token);
      if (begun.length < attentionPageTokens) continue;
      const key = pageKey(keys.at(-1), Int32Array.from(begun));
      this.pages.remember(pages[keys.length], key);
      keys.push(key);
      begun.length = 0;
    }
  }

  dispose(): void {
    for (const storage of this.storages) this.engine.backend.release(storage);
  }
}

/** Pages that hold `tokens` tokens. */
function pagesOf(tokens: number): number {
  return Math.ceil(tokens / attentionPageTokens);
}

/** Spans that attend in one call: all of one length, over keys padded to the longest. */
interface Attending {
  /** Row of the first one's first token among those of the pass. */
  readonly first: number;
  readonly count: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly causal: boolean;
  readonly pages: Tensor;
  readonly mask: { readonly visibleFrom: Tensor; readonly visibleTo: Tensor } | undefined;
}

/** One forward pass that reads and extends a cache. */
export class CachedPass {
  /** All tokens, span after span. */
  readonly tokens: Int32Array;
  /** i32: the position of every token in its sequence. */
  readonly positions: Tensor;
  private readonly calls: readonly Attending[];
  /** Stretches of tokens and the rows of the cache that they go to. */
  private readonly copies: readonly { readonly from: number; readonly to: number; readonly count: number }[];

  constructor(
    private readonly engine: Engine,
    private readonly cache: KeyValueCache,
    private readonly shape: CacheShape,
    private readonly spans: readonly CachedSpan[],
  ) {
    const { lengths } = cache;
    this.tokens = Int32Array.from(spans.flatMap(({ tokens }) => [...tokens]));
    const positions = spans.flatMap(({ sequence, tokens }) => Array.from(tokens, (_, i) => lengths[sequence] + i));
    this.positions = engine.constant(Int32Array.from(positions));
    this.copies = this.stretches();
    // One more token of each sequence: all attend in one call, each over its own length.
    const together = spans.length > 1 && spans.every(({ tokens }) => tokens.length === 1);
    this.calls = together ? [this.attending(spans, 0, true)] : this.eachAlone();
  }

  /** Causal attention of packed, position-encoded rows over the cache and themselves; they are added to the cache. */
  attend(packed: Variable, layer: number): Variable {
    const { kernels } = this.engine.backend;
    const { heads, keyValueHeads, headSize } = this.shape;
    const [key, value] = [this.cache.tensor(layer, 0), this.cache.tensor(layer, 1)];
    const shape = { heads, keyValueHeads, headSize, scale: 1 / Math.sqrt(headSize) };
    const count = this.tokens.length;
    const all = splitPackedHeads(packed.tensor, { ...shape, sequences: 1, queryLength: count } as AttentionShape);
    const out = this.engine.allocate([count, heads * headSize], packed.tensor.type);
    for (const { from, to, count: length } of this.copies) {
      kernels.copy(rows(key, to, length), rows(all.key, from, length));
      kernels.copy(rows(value, to, length), rows(all.value, from, length));
    }
    for (const { first, count: sequences, queryLength, keyLength, causal, pages, mask } of this.calls) {
      const queries = sequences * queryLength;
      kernels.attention(
        {
          ...{ query: rows(all.query, first, queries), key, value, pages, ...mask },
          ...{ out: rows(out, first, queries), logSumExp: this.engine.allocate([heads, queries]) },
        },
        { ...shape, sequences, queryLength, keyLength, causal },
      );
    }
    return { tensor: out, requiresGradient: false };
  }

  private eachAlone(): Attending[] {
    let first = 0;
    return this.spans.map((span) => {
      const call = this.attending([span], first, this.shape.window !== undefined);
      first += span.tokens.length;
      return call;
    });
  }

  /** One call for spans of one length. Without a mask each sees all that is held and, of the span, what comes before it. */
  private attending(spans: readonly CachedSpan[], first: number, masked: boolean): Attending {
    const { cache, engine } = this;
    const queryLength = spans[0].tokens.length;
    const totals = spans.map(({ sequence, tokens }) => cache.lengths[sequence] + tokens.length);
    const keyLength = Math.max(...totals);
    const perSequence = pagesOf(keyLength);
    const table = new Int32Array(spans.length * perSequence);
    for (const [index, { sequence }] of spans.entries()) {
      table.set(cache.pagesOf(sequence).slice(0, perSequence), index * perSequence);
    }
    const of = (value: (sequence: number, token: number, total: number) => number) =>
      engine.constant(
        Int32Array.from(
          spans.flatMap(({ sequence, tokens }, index) =>
            Array.from(tokens, (_, token) => value(cache.lengths[sequence], token, totals[index])),
          ),
        ),
      );
    return {
      ...{ first, count: spans.length, queryLength, keyLength, causal: spans.length === 1 },
      pages: engine.constant(table),
      mask: masked
        ? {
            visibleFrom: of((held, token) => this.firstSeen(held + token)),
            visibleTo: of((_held, _token, total) => total),
          }
        : undefined,
    };
  }

  /** Where the new tokens go: as many as lie in one page are copied at once. */
  private stretches() {
    const { cache, spans } = this;
    const found: { from: number; to: number; count: number }[] = [];
    let from = 0;
    for (const { sequence, tokens } of spans) {
      const pages = cache.pagesOf(sequence);
      const end = cache.lengths[sequence] + tokens.length;
      for (let at = cache.lengths[sequence]; at < end; ) {
        const inPage = at % attentionPageTokens;
        const count = Math.min(end - at, attentionPageTokens - inPage);
        found.push({ from, to: pages[Math.floor(at / attentionPageTokens)] * attentionPageTokens + inPage, count });
        from += count;
        at += count;
      }
    }
    return found;
  }

  /** The first position that a token at `position` sees. */
  private firstSeen(position: number): number {
    return Math.max(0, position + 1 - (this.shape.window ?? position + 1));
  }

  /** Counts the tokens as held. */
  finish(): void {
    for (const span of this.spans) this.cache.add(span);
  }
}
