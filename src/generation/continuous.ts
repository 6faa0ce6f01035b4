/** Continuous batching (Yu et al. 2022, Orca): requests join and leave between two tokens, over one key/value cache in pages. */
import { attentionPageTokens, type Engine } from "../engine/index.ts";
import { Random } from "../foundation/index.ts";
import type { CachedSpan, KeyValueCache, LanguageModel } from "../models/index.ts";
import { nextLogits } from "./generate.ts";
import { type SamplingOptions, sampleToken } from "./sampling.ts";

/** What one request asks for. */
export interface BatchRequest extends SamplingOptions {
  readonly id: number;
  /** Shorter than the model's context. */
  readonly prompt: Int32Array;
  readonly maximumTokens: number;
  readonly seed: number;
  /** So many likeliest tokens are told with every token; none if left out, not even the token's own probability. */
  readonly logProbabilities?: number;
}

/** A token that was drawn, with the natural logs of its probability and of the likeliest ones'. */
export interface DrawnToken {
  readonly token: number;
  readonly logProbability?: number;
  readonly likeliest?: readonly { readonly token: number; readonly logProbability: number }[];
}

/** What a step made of one request. `ended`: by the end-of-text token, or because tokens or context are used up. */
export interface BatchEvent {
  readonly id: number;
  readonly drawn?: DrawnToken;
  readonly ended?: "stop" | "length";
}

interface Active {
  readonly request: BatchRequest;
  /** Prompt and answer so far: what is computed again where its pages were given to others. */
  readonly tokens: number[];
  /** How many of them the cache holds. */
  held: number;
  made: number;
  readonly random: Random;
  /** Requests in the order in which they came: the last gives way first. */
  readonly order: number;
}

/** Tokens of prompts that enter the cache in one step: more would keep the others waiting for their next token. */
const promptTokensOfStep = 512;

/** What a batch has room for. */
export interface BatchRoom {
  /** Requests at a time. */
  readonly slots: number;
  /** Tokens of one request and its answer; the model's context if left out. */
  readonly capacity?: number;
  /** Tokens of all requests together; every slot full if left out. Where they do not suffice the youngest waits. */
  readonly tokens?: number;
}

/**
 * Runs up to `slots` requests at a time over one cache in pages. Beginnings that were computed before are taken over. The same
 * request draws the same tokens whatever shares the batch, up to rounding of sums.
 */
export class ContinuousBatch {
  /** Tokens of prompts that were found in the cache. */
  reusedTokens = 0;
  /** How often a request gave its pages to older ones and was computed again. */
  preemptions = 0;
  private readonly cache: KeyValueCache;
  private readonly slots: (Active | undefined)[];
  private started = 0;

  constructor(
    private readonly engine: Engine,
    private readonly model: LanguageModel,
    /** Ids from `vocabularySize` on are never drawn: an embedding may have more rows than its tokenizer has tokens. */
    private readonly tokenizer: { readonly endOfText: number; readonly vocabularySize: number },
    { slots, capacity, tokens }: BatchRoom,
  ) {
    const { context } = model.architecture.dimensions(model.configuration);
    const longest = Math.min(capacity ?? context, context);
    const pages = Math.ceil((tokens ?? slots * longest) / attentionPageTokens);
    const needed = Math.ceil(longest / attentionPageTokens);
    this.cache = model.createCache(engine, longest, slots, { pages: Math.max(pages, needed), remembers: true });
    this.slots = new Array<Active | undefined>(slots).fill(undefined);
  }

  /** Tokens that a request and its answer may have together. */
  get capacity(): number {
    return this.cache.capacity;
  }

  /** Tokens that the cache holds of all requests, and those that it has room for. */
  get usage(): { readonly used: number; readonly tokens: number } {
    return { used: this.cache.tokens - this.cache.freeTokens, tokens: this.cache.tokens };
  }

  get active(): number {
    return this.slots.filter((one) => one !== undefined).length;
  }

  get hasRoom(): boolean {
    return this.slots.includes(undefined);
  }

  /** Puts a request into a free slot. Throws RangeError without one, or for a prompt that leaves no room. */
  start(request: BatchRequest): void {
    const slot = this.slots.indexOf(undefined);
    if (slot < 0) throw new RangeError("every slot is taken");
    if (request.prompt.length === 0 || request.prompt.length >= this.capacity) {
      throw new RangeError(`a prompt of ${request.prompt.length} tokens in slots of ${this.capacity}`);
    }
    const held = this.cache.reuse(slot, request.prompt);
    this.reusedTokens += held;
    const random = new Random(request.seed);
    this.slots[slot] = { request, tokens: [...request.prompt], held, made: 0, random, order: this.started++ };
  }

  /** Frees the slot of a request that nobody waits for any more. */
  cancel(id: number): void {
    const slot = this.slots.findIndex((one) => one?.request.id === id);
    if (slot >= 0) this.free(slot);
  }

  /** One pass of the model: a part of waiting prompts, and one token of every request whose prompt is in. */
  async step(): Promise<BatchEvent[]> {
    const spans = this.spans();
    if (spans.length === 0) return [];
    const logits = await nextLogits(this.engine, this.model, spans, this.cache);
    return spans.flatMap(({ sequence, tokens }, index) => {
      const one = this.slots[sequence]!;
      one.held += tokens.length;
      return one.held < one.tokens.length ? [] : [this.draw(sequence, one, logits[index])];
    });
  }

  /** What enters the cache in a step, the oldest request first; one without pages takes those of the youngest. */
  private spans(): CachedSpan[] {
    const waiting = [...this.slots.entries()]
      .flatMap(([sequence, one]) => (one === undefined ? [] : [{ sequence, one }]))
      .sort((a, b) => a.one.order - b.one.order);
    const spans: CachedSpan[] = [];
    let room = promptTokensOfStep;
    for (let index = 0; index < waiting.length; index++) {
      const { sequence, one } = waiting[index];
      // What was computed before and given away is found again where nobody has taken its pages.
      if (one.held === 0) one.held = this.cache.reuse(sequence, Int32Array.from(one.tokens));
      const missing = one.tokens.length - one.held;
      const count = missing === 1 ? 1 : Math.min(missing, room);
      if (count === 0) continue;
      while (!this.cache.reserve(sequence, count) && waiting.length > index + 1) this.preempt(waiting.pop()!);
      if (!this.cache.reserve(sequence, count)) {
        this.preempt({ sequence, one });
        break;
      }
      if (missing > 1) room -= count;
      spans.push({ sequence, tokens: Int32Array.from(one.tokens.slice(one.held, one.held + count)) });
    }
    return spans;
  }

  private preempt({ sequence, one }: { readonly sequence: number; readonly one: Active }): void {
    if (one.held > 0) this.preemptions += 1;
    this.cache.truncate(sequence, 0);
    one.held = 0;
  }

  private free(slot: number): void {
    this.cache.truncate(slot, 0);
    this.slots[slot] = undefined;
  }

  private draw(slot: number, one: Active, allLogits: Float32Array): BatchEvent {
    const logits = allLogits.subarray(0, this.tokenizer.vocabularySize);
    const { request } = one;
    const { id, logProbabilities } = request;
    const token = sampleToken(logits, request, one.random);
    if (token === this.tokenizer.endOfText) {
      this.free(slot);
      return { id, ended: "stop" };
    }
    one.made += 1;
    one.tokens.push(token);
    const full = one.made >= request.maximumTokens || this.cache.lengths[slot] >= this.capacity;
    if (full) this.free(slot);
    const drawn =
      logProbabilities === undefined ? { token } : withProbabilities(token, allLogits, logits.length, logProbabilities);
    return { id, drawn, ...(full && { ended: "length" as const }) };
  }

  dispose(): void {
    this.cache.dispose();
  }
}

/** Probabilities are the model's own, over all rows; tokens that are never drawn are not named. */
function withProbabilities(token: number, logits: Float32Array, vocabularySize: number, count: number): DrawnToken {
  const highest = logits.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY);
  const logSum = highest + Math.log(logits.reduce((sum, one) => sum + Math.exp(one - highest), 0));
  const top: number[] = [];
  for (let id = 0; id < vocabularySize && count > 0; id++) {
    if (top.length === count && logits[id] <= logits[top[count - 1]]) continue;
    const place = top.findIndex((other) => logits[id] > logits[other]);
    top.splice(place < 0 ? top.length : place, 0, id);
    if (top.length > count) top.pop();
  }
  const of = (id: number) => ({ token: id, logProbability: logits[id] - logSum });
  return { ...of(token), likeliest: top.map(of) };
}
