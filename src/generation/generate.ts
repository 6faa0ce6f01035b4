/** Autoregressive generation with a key/value cache: prefill in one pass, then a token at a time. */
import type { Engine } from "../engine/index.ts";
import { rows, rowsOf } from "../engine/index.ts";
import { Random, TilthError } from "../foundation/index.ts";
import type { KeyValueCache, LanguageModel } from "../models/index.ts";
import { type SamplingOptions, sampleToken } from "./sampling.ts";

/** What is generated and where it ends. */
export interface GenerationOptions extends SamplingOptions {
  readonly maximumTokens: number;
  readonly seed: number;
  /** Generation ends before this token. */
  readonly endOfText: number;
  readonly shouldStop?: () => boolean;
}

/**
 * Yields token ids one by one. The prompt must leave room in the model's context; generation ends at the end-of-text
 * token, at `maximumTokens`, or when the context is full. Throws TilthError for an empty or too long prompt.
 */
export async function* generateTokens(
  engine: Engine,
  model: LanguageModel,
  prompt: Int32Array,
  options: GenerationOptions,
): AsyncGenerator<number> {
  const { context } = model.architecture.dimensions(model.configuration);
  if (prompt.length === 0)
    throw new TilthError("the prompt has no tokens; it starts at least with the end-of-text token");
  if (prompt.length >= context) {
    throw new TilthError(`the prompt has ${prompt.length} tokens; the model's context is ${context}`, {
      remedy: "Shorten the prompt.",
    });
  }
  const random = new Random(options.seed);
  const cache = model.createCache(engine, Math.min(context, prompt.length + options.maximumTokens));
  try {
    let pending = prompt;
    for (let made = 0; made < options.maximumTokens && cache.length + pending.length <= cache.capacity; made++) {
      if (options.shouldStop?.()) return;
      const token = sampleToken(await nextLogits(engine, model, pending, cache), options, random);
      if (token === options.endOfText) return;
      yield token;
      pending = Int32Array.of(token);
    }
  } finally {
    cache.dispose();
  }
}

/** Logits [vocabulary] after the last of `tokens`, which are added to the cache. */
export function nextLogits(
  engine: Engine,
  model: LanguageModel,
  tokens: Int32Array,
  cache: KeyValueCache,
): Promise<Float32Array> {
  return engine.scope({ record: false }, async () => {
    const { hidden, head } = model.forwardCached(engine, tokens, cache);
    const logits = engine.allocate([1, head.tensor.shape[0]]);
    const last = rows(hidden.tensor, rowsOf(hidden.tensor) - 1, 1);
    engine.backend.kernels.matmul(logits, last, head.tensor, { transposeB: true });
    return engine.backend.read(logits);
  });
}
