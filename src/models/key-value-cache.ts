/** Keys and values of several sequences of a decoder, each with a length of its own. */
import {
  type AttentionShape,
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

/** Room for `sequences` sequences of up to `capacity` tokens each. A decoder fills it through `pass`. */
export class KeyValueCache {
  /** Tokens held of every sequence. */
  readonly lengths: number[];
  /** That of activations. */
  private readonly type: ElementType;
  private readonly storages: Storage[];

  constructor(
    private readonly engine: Engine,
    private readonly shape: CacheShape,
    readonly capacity: number,
    readonly sequences = 1,
  ) {
    this.type = engine.backend.precision;
    const bytes = sequences * capacity * shape.keyValueHeads * shape.headSize * elementBytes[this.type];
    this.storages = Array.from({ length: 2 * shape.layers }, () => engine.backend.allocate(bytes));
    this.lengths = new Array<number>(sequences).fill(0);
  }

  /** Forgets all but the first `length` tokens of a sequence. */
  truncate(sequence: number, length: number): void {
    this.lengths[sequence] = Math.min(length, this.lengths[sequence]);
  }

  /**
   * Prepares one forward pass over `spans`, whose tokens stand one after the other. Throws RangeError where a span is
   * empty or does not fit. Call `finish` once all layers have attended.
   */
  pass(spans: readonly CachedSpan[]): CachedPass {
    for (const { sequence, tokens } of spans) {
      const total = this.lengths[sequence] + tokens.length;
      if (!(tokens.length > 0 && total <= this.capacity)) {
        throw new RangeError(`${total} tokens of sequence ${sequence} do not fit a cache of ${this.capacity}`);
      }
    }
    return new CachedPass(this.engine, this, this.shape, spans);
  }

  /** Keys (0) or values (1) of a layer: [sequences · capacity, keyValueHeads · headSize]. */
  tensor(layer: number, which: 0 | 1): Tensor {
    const { keyValueHeads, headSize } = this.shape;
    const shape = [this.sequences * this.capacity, keyValueHeads * headSize];
    return tensorOver(this.storages[2 * layer + which], shape, this.type);
  }

  dispose(): void {
    for (const storage of this.storages) this.engine.backend.release(storage);
  }
}

/** One forward pass that reads and extends a cache. */
export class CachedPass {
  /** All tokens, span after span. */
  readonly tokens: Int32Array;
  /** i32: the position of every token in its sequence. */
  readonly positions: Tensor;
  private readonly masks: { visibleFrom: Tensor; visibleTo: Tensor } | undefined;

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
    // One more token of the first sequences, in their order: all attend in one call, each over its own length.
    const together =
      spans.length > 1 && spans.every(({ sequence, tokens }, index) => sequence === index && tokens.length === 1);
    this.masks = together
      ? {
          visibleFrom: engine.constant(Int32Array.from(spans, (_, index) => this.firstSeen(lengths[index]))),
          visibleTo: engine.constant(Int32Array.from(spans, (_, index) => lengths[index] + 1)),
        }
      : undefined;
  }

  /** Causal attention of packed, position-encoded rows over the cache and themselves; they are added to the cache. */
  attend(packed: Variable, layer: number): Variable {
    const { kernels } = this.engine.backend;
    const { heads, keyValueHeads, headSize } = this.shape;
    const { lengths, capacity } = this.cache;
    const [keys, values] = [this.cache.tensor(layer, 0), this.cache.tensor(layer, 1)];
    const shape = { heads, keyValueHeads, headSize, scale: 1 / Math.sqrt(headSize) };
    const count = this.tokens.length;
    const all = splitPackedHeads(packed.tensor, { ...shape, sequences: 1, queryLength: count } as AttentionShape);
    const out = this.engine.allocate([count, heads * headSize], packed.tensor.type);
    const logSumExp = this.engine.allocate([heads, count]);
    let first = 0;
    for (const { sequence, tokens } of this.spans) {
      const at = sequence * capacity + lengths[sequence];
      kernels.copy(rows(keys, at, tokens.length), rows(all.key, first, tokens.length));
      kernels.copy(rows(values, at, tokens.length), rows(all.value, first, tokens.length));
      first += tokens.length;
    }
    if (this.masks !== undefined) {
      const [key, value] = [keys, values].map((one) => rows(one, 0, count * capacity));
      kernels.attention(
        { query: all.query, key, value, out, logSumExp, ...this.masks },
        { ...shape, sequences: count, queryLength: 1, keyLength: capacity, causal: false },
      );
      return { tensor: out, requiresGradient: false };
    }
    first = 0;
    for (const { sequence, tokens } of this.spans) {
      const total = lengths[sequence] + tokens.length;
      const range = {
        visibleFrom: this.engine.constant(Int32Array.from(tokens, (_, i) => this.firstSeen(lengths[sequence] + i))),
        visibleTo: this.engine.constant(new Int32Array(tokens.length).fill(total)),
      };
      const sums = this.spans.length === 1 ? logSumExp : this.engine.allocate([heads, tokens.length]);
      kernels.attention(
        {
          query: rows(all.query, first, tokens.length),
          key: rows(keys, sequence * capacity, total),
          value: rows(values, sequence * capacity, total),
          out: rows(out, first, tokens.length),
          logSumExp: sums,
          ...(this.shape.window === undefined ? {} : range),
        },
        { ...shape, sequences: 1, queryLength: tokens.length, keyLength: total, causal: true },
      );
      first += tokens.length;
    }
    return { tensor: out, requiresGradient: false };
  }

  /** The first position that a token at `position` sees. */
  private firstSeen(position: number): number {
    return Math.max(0, position + 1 - (this.shape.window ?? position + 1));
  }

  /** Counts the tokens as held. */
  finish(): void {
    for (const { sequence, tokens } of this.spans) this.cache.lengths[sequence] += tokens.length;
  }
}
