/** Autoregressive generation with a key/value cache: all prompts in one pass, then a token of each sequence at a time. */
import type { Engine } from "../engine/index.ts";
import { rows } from "../engine/index.ts";
import { Random, TilthError } from "../foundation/index.ts";
import type { CachedSpan, KeyValueCache, LanguageModel } from "../models/index.ts";
import { type SamplingOptions, sampleToken } from "./sampling.ts";

/** What is generated and where it ends. */
export interface GenerationOptions extends SamplingOptions {
  readonly maximumTokens: number;
  /** Prompt i draws from seed + i. */
  readonly seed: number;
  /** Generation ends before this token. */
  readonly endOfText: number;
  /** Ids from here on are never drawn: an embedding may have more rows than its tokenizer has tokens. All are drawn if left out. */
  readonly vocabularySize?: number;
  /** Told of every token as it comes: whether that prompt's generation ends with it. */
  readonly ends?: (prompt: number, token: number) => boolean;
  readonly shouldStop?: () => boolean;
}

/** As `generateBatch` for one prompt: yields its token ids. */
export async function* generateTokens(
  engine: Engine,
  model: LanguageModel,
  prompt: Int32Array,
  options: GenerationOptions,
): AsyncGenerator<number> {
  for await (const { token } of generateBatch(engine, model, [prompt], options)) yield token;
}

/**
 * Yields tokens of all prompts as they come, `prompt` being the index. A prompt must leave room in the model's context; its
 * generation ends at the end-of-text token, at `maximumTokens`, or when the context is full. Throws TilthError for an empty
 * or too long prompt.
 */
export async function* generateBatch(
  engine: Engine,
  model: LanguageModel,
  prompts: readonly Int32Array[],
  options: GenerationOptions,
): AsyncGenerator<{ readonly prompt: number; readonly token: number }> {
  const { context } = model.architecture.dimensions(model.configuration);
  for (const prompt of prompts) requireRoom(prompt, context);
  const longest = Math.max(0, ...prompts.map((prompt) => prompt.length));
  const cache = model.createCache(engine, Math.min(context, longest + options.maximumTokens), prompts.length);
  const randoms = prompts.map((_, index) => new Random(options.seed + index));
  const made = prompts.map(() => 0);
  try {
    let pending: CachedSpan[] = prompts.map((tokens, sequence) => ({ sequence, tokens }));
    while (pending.length > 0 && options.maximumTokens > 0 && options.shouldStop?.() !== true) {
      const logits = await nextLogits(engine, model, pending, cache);
      const next: CachedSpan[] = [];
      for (const [index, { sequence }] of pending.entries()) {
        const token = sampleToken(logits[index].subarray(0, options.vocabularySize), options, randoms[sequence]);
        if (token === options.endOfText) continue;
        yield { prompt: sequence, token };
        made[sequence] += 1;
        if (options.ends?.(sequence, token) === true) continue;
        const room = cache.lengths[sequence] < cache.capacity;
        if (made[sequence] < options.maximumTokens && room) next.push({ sequence, tokens: Int32Array.of(token) });
      }
      pending = next;
    }
  } finally {
    cache.dispose();
  }
}

function requireRoom(prompt: Int32Array, context: number): void {
  if (prompt.length === 0) {
    throw new TilthError("the prompt has no tokens; it starts at least with the end-of-text token");
  }
  if (prompt.length >= context) {
    throw new TilthError(`the prompt has ${prompt.length} tokens; the model's context is ${context}`, {
      remedy: "Shorten the prompt.",
    });
  }
}

/** Logits [vocabulary] after the last token of every span; the spans are added to the cache. */
export function nextLogits(
  engine: Engine,
  model: LanguageModel,
  spans: readonly CachedSpan[],
  cache: KeyValueCache,
): Promise<Float32Array[]> {
  return engine.scope({ record: false }, async () => {
    const { hidden, head } = model.forwardCached(engine, spans, cache);
    const { kernels } = engine.backend;
    const [vocabulary, width] = head.tensor.shape;
    const last = engine.allocate([spans.length, width], hidden.tensor.type);
    let end = 0;
    for (const [index, { tokens }] of spans.entries()) {
      end += tokens.length;
      kernels.copy(rows(last, index, 1), rows(hidden.tensor, end - 1, 1));
    }
    const logits = engine.allocate([spans.length, vocabulary]);
    kernels.matmul(logits, last, head.tensor, { transposeB: true });
    const all = await engine.backend.read(logits);
    return spans.map((_, index) => all.subarray(index * vocabulary, (index + 1) * vocabulary));
  });
}
