/** Continuous batching (Yu et al. 2022, Orca): requests join and leave between two tokens, each in a slot of one key/value cache. */
import type { Engine } from "../engine/index.ts";
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
  /** Tokens that the cache does not hold yet. */
  pending: Int32Array;
  made: number;
  readonly random: Random;
}

/** Tokens of prompts that enter the cache in one step: more would keep the others waiting for their next token. */
const promptTokensOfStep = 512;

/** Runs up to `slots` requests at a time. The same request draws the same tokens whatever shares the batch, up to rounding of sums. */
export class ContinuousBatch {
  private readonly cache: KeyValueCache;
  private readonly slots: (Active | undefined)[];

  constructor(
    private readonly engine: Engine,
    private readonly model: LanguageModel,
    /** Ids from `vocabularySize` on are never drawn: an embedding may have more rows than its tokenizer has tokens. */
    private readonly tokenizer: { readonly endOfText: number; readonly vocabularySize: number },
    options: { readonly slots: number; readonly capacity?: number },
  ) {
    const { context } = model.architecture.dimensions(model.configuration);
    this.cache = model.createCache(engine, Math.min(options.capacity ?? context, context), options.slots);
    this.slots = new Array<Active | undefined>(options.slots).fill(undefined);
  }

  /** Tokens that a request and its answer may have together. */
  get capacity(): number {
    return this.cache.capacity;
  }

  get active(): number {
    return this.slots.filter((one) => one !== undefined).length;
  }

  get hasRoom(): boolean {
    return this.slots.includes(undefined);
  }

  /** Puts a request into a free slot, the first so that neighbours attend together. Throws RangeError without one, or for a prompt that leaves no room. */
  start(request: BatchRequest): void {
    const slot = this.slots.indexOf(undefined);
    if (slot < 0) throw new RangeError("every slot is taken");
    if (request.prompt.length === 0 || request.prompt.length >= this.capacity) {
      throw new RangeError(`a prompt of ${request.prompt.length} tokens in slots of ${this.capacity}`);
    }
    this.cache.truncate(slot, 0);
    this.slots[slot] = { request, pending: request.prompt, made: 0, random: new Random(request.seed) };
  }

  /** Frees the slot of a request that nobody waits for any more. */
  cancel(id: number): void {
    const slot = this.slots.findIndex((one) => one?.request.id === id);
    if (slot >= 0) this.slots[slot] = undefined;
  }

  /** One pass of the model: a part of waiting prompts, and one token of every request whose prompt is in. */
  async step(): Promise<BatchEvent[]> {
    const spans: CachedSpan[] = [];
    let room = promptTokensOfStep;
    for (const [sequence, one] of this.slots.entries()) {
      if (one === undefined) continue;
      const isPrompt = one.made === 0;
      const tokens = one.pending.subarray(0, isPrompt ? room : 1);
      if (tokens.length === 0) continue;
      if (isPrompt) room -= tokens.length;
      spans.push({ sequence, tokens });
    }
    if (spans.length === 0) return [];
    const logits = await nextLogits(this.engine, this.model, spans, this.cache);
    return spans.flatMap(({ sequence, tokens }, index) => {
      const one = this.slots[sequence]!;
      one.pending = one.pending.subarray(tokens.length);
      return one.pending.length > 0 ? [] : [this.draw(sequence, one, logits[index])];
    });
  }

  private draw(slot: number, one: Active, allLogits: Float32Array): BatchEvent {
    const logits = allLogits.subarray(0, this.tokenizer.vocabularySize);
    const { request } = one;
    const { id, logProbabilities } = request;
    const token = sampleToken(logits, request, one.random);
    if (token === this.tokenizer.endOfText) {
      this.slots[slot] = undefined;
      return { id, ended: "stop" };
    }
    one.made += 1;
    one.pending = Int32Array.of(token);
    const full = one.made >= request.maximumTokens || this.cache.lengths[slot] >= this.capacity;
    if (full) this.slots[slot] = undefined;
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
