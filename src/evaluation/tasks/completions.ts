/** Greedy answers: written through the key/value cache, many at once, each only once. */
import type { Engine } from "../../engine/index.ts";
import { type ProgressListener, UsageError } from "../../foundation/index.ts";
import { generateBatch } from "../../generation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { beforeStops } from "./exact-match.ts";
import type { TaskTokenizer } from "./likelihood.ts";

/** What is needed of a tokenizer to write. */
export interface WritingTokenizer extends TaskTokenizer {
  readonly vocabularySize: number;
  streamDecoder(): { push(id: number): string; end(): string };
}

export interface CompletionOptions {
  /** Texts that end an answer; they are cut off. */
  readonly until: readonly string[];
  readonly maximumTokens: number;
  readonly onProgress?: ProgressListener;
}

/** Tokens, prompts and answers together, whose keys and values are held at a time; and sequences at most. */
const cachedTokens = 16_384;
const largestBatch = 64;

/**
 * What the model writes after each context, in their order. A context that leaves no room for the answer loses its beginning.
 * Throws UsageError where the answer alone fills the model's context.
 */
export async function completeGreedily(
  engine: Engine,
  model: LanguageModel,
  tokenizer: WritingTokenizer,
  contexts: readonly string[],
  { until, maximumTokens, onProgress }: CompletionOptions,
): Promise<string[]> {
  const { context: limit } = model.architecture.dimensions(model.configuration);
  if (maximumTokens >= limit) {
    throw new UsageError(`answers of ${maximumTokens} tokens leave no room in a context of ${limit}`, {
      remedy: "Lower --maximum-tokens.",
    });
  }
  // Prompts of like length share a batch, longest first: what does not fit in memory fails at once.
  const distinct = [...new Set(contexts)]
    .map((text) => ({ text, tokens: promptTokens(tokenizer, text, limit - maximumTokens) }))
    .sort((a, b) => b.tokens.length - a.tokens.length);
  const written = new Map<string, string>();
  for (let first = 0; first < distinct.length; ) {
    const room = Math.floor(cachedTokens / (distinct[first].tokens.length + maximumTokens));
    const batch = distinct.slice(first, first + Math.max(1, Math.min(largestBatch, room)));
    const texts = batch.map(() => "");
    const decoders = batch.map(() => tokenizer.streamDecoder());
    const ends = (prompt: number, token: number) => {
      texts[prompt] += decoders[prompt].push(token);
      return until.some((stop) => stop !== "" && texts[prompt].includes(stop));
    };
    const prompts = batch.map(({ tokens }) => tokens);
    const { endOfText, vocabularySize } = tokenizer;
    const options = { temperature: 0, topP: 1, topK: 0, seed: 0, maximumTokens, endOfText, vocabularySize, ends };
    for await (const _ of generateBatch(engine, model, prompts, options));
    for (const [index, { text }] of batch.entries()) {
      written.set(text, beforeStops(texts[index] + decoders[index].end(), until));
    }
    first += batch.length;
    onProgress?.({ stage: "answering", done: first, total: distinct.length, unit: "questions" });
  }
  return contexts.map((text) => written.get(text)!);
}

/** The end of a prompt; an empty one is the beginning of a document. */
function promptTokens(tokenizer: TaskTokenizer, text: string, limit: number): Int32Array {
  const tokens = tokenizer.encode(text);
  return tokens.length === 0 ? Int32Array.of(tokenizer.endOfText) : tokens.slice(-limit);
}
