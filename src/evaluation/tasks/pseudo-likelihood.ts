/**
 * Pseudo-log-likelihoods of an encoder (Salazar et al. 2020): each token of a text is hidden in turn, and the logs of the
 * probabilities that the model gives it from all the others are summed. They rank sentences; they are no probabilities of them.
 */
import type { Engine } from "../../engine/index.ts";
import { type ProgressListener, TilthError } from "../../foundation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { headLoss, type Vocabulary } from "../../objectives/index.ts";
import type { Choice } from "./item.ts";
import type { ContinuationScore, TaskTokenizer } from "./likelihood.ts";

/**
 * What is hidden beside the token: nothing (Salazar et al. 2020), or also the later pieces of its word (Kauf & Ivanova 2023), without
 * which words of many pieces look too likely, since each piece gives the others away.
 */
export const maskings = ["token", "word"] as const;
export type Masking = (typeof maskings)[number];

export interface PseudoLikelihoodOptions {
  readonly masking: Masking;
  readonly onProgress?: ProgressListener;
}

interface Encoded {
  /** With the special tokens around the text. */
  readonly tokens: Int32Array;
  /** Positions that are scored: [from, to). */
  readonly from: number;
  readonly to: number;
}

interface Masked {
  readonly tokens: Int32Array;
  readonly position: number;
  readonly target: number;
  readonly request: number;
}

const batchTokens = 4096;

/**
 * Scores in the order of the choices: of the continuation's tokens, the context in sight. Throws TilthError for a tokenizer without a
 * mask token and for a text that is longer than the model's context: what stands on both sides cannot be cut.
 */
export async function scorePseudoLikelihoods(
  engine: Engine,
  model: LanguageModel,
  tokenizer: TaskTokenizer,
  vocabulary: Vocabulary,
  choices: readonly Choice[],
  { masking, onProgress }: PseudoLikelihoodOptions,
): Promise<ContinuationScore[]> {
  const { context: limit } = model.architecture.dimensions(model.configuration);
  const special = specialsOf(vocabulary);
  const keys = choices.map(({ context, continuation }) => JSON.stringify([context, continuation]));
  const distinct = new Map(keys.map((key, index) => [key, encode(tokenizer, special, choices[index], limit)]));
  const requests = [...distinct.values()];
  const masked = requests.flatMap((request, index) => maskedOnes(request, index, special.mask, vocabulary, masking));
  masked.sort((a, b) => b.tokens.length - a.tokens.length);
  const sums = new Float64Array(requests.length);
  for (let first = 0; first < masked.length; ) {
    const count = Math.max(1, Math.floor(batchTokens / masked[first].tokens.length));
    const batch = masked.slice(first, first + count);
    const losses = await lossesOf(engine, model, batch, special.end);
    for (const [row, { request }] of batch.entries()) sums[request] -= losses[row];
    first += batch.length;
    onProgress?.({ stage: "evaluating", done: first, total: masked.length, unit: "hidden tokens" });
  }
  const scores = new Map(
    [...distinct].map(([key, { from, to }], index) => [key, { logLikelihood: sums[index], tokens: to - from }]),
  );
  return keys.map((key) => scores.get(key)!);
}

/** The tokens that BERT, RoBERTa or an encoder of Tilth's own reads around a text, and the one that hides another. */
function specialsOf({ specialTokens, endOfText }: Vocabulary) {
  const mask = specialTokens.get("[MASK]") ?? specialTokens.get("<mask>");
  if (mask === undefined) {
    throw new TilthError("the tokenizer has no mask token ([MASK] or <mask>)", {
      remedy: "Give the tokenizer that the encoder was trained with.",
    });
  }
  const begin = specialTokens.get("[CLS]") ?? specialTokens.get("<s>") ?? endOfText;
  const end = specialTokens.get("[SEP]") ?? specialTokens.get("</s>") ?? endOfText;
  return { mask, begin, end };
}

function encode(
  tokenizer: TaskTokenizer,
  { begin, end }: { readonly begin: number; readonly end: number },
  { context, continuation }: Choice,
  limit: number,
): Encoded {
  // A text of its own begins without the space that would separate it from a context.
  const all = tokenizer.encode(context === "" ? continuation.trimStart() : context + continuation);
  const contextTokens = context === "" ? 0 : tokenizer.encode(context.trimEnd()).length;
  if (all.length + 2 > limit) {
    throw new TilthError(`a text has ${all.length} tokens; the model reads ${limit - 2} beside its special tokens`, {
      remedy: "Leave it out, or give a model with a longer context.",
    });
  }
  return { tokens: Int32Array.of(begin, ...all, end), from: contextTokens + 1, to: all.length + 1 };
}

function maskedOnes(
  { tokens, from, to }: Encoded,
  request: number,
  mask: number,
  vocabulary: Vocabulary,
  masking: Masking,
): Masked[] {
  return Array.from({ length: to - from }, (_, index) => {
    const position = from + index;
    const hidden = tokens.slice();
    hidden[position] = mask;
    if (masking === "word") {
      for (let next = position + 1; next < to && !vocabulary.startsWord(tokens[next]); next++) hidden[next] = mask;
    }
    return { tokens: hidden, position, target: tokens[position], request };
  });
}

/** Nats of each hidden token. */
function lossesOf(engine: Engine, model: LanguageModel, batch: readonly Masked[], padding: number) {
  const length = batch[0].tokens.length;
  const tokens = new Int32Array(batch.length * length).fill(padding);
  const visibleTo = new Int32Array(tokens.length);
  for (const [row, one] of batch.entries()) {
    tokens.set(one.tokens, row * length);
    visibleTo.fill(one.tokens.length, row * length, (row + 1) * length);
  }
  const rows = Int32Array.from(batch, ({ position }, row) => row * length + position);
  const targets = Int32Array.from(batch, ({ target }) => target);
  return engine.scope({ record: false }, () => {
    const visibleFrom = new Int32Array(tokens.length);
    const states = model.forward(engine, { sequences: batch.length, length, tokens, visibleFrom, visibleTo, rows });
    return engine.backend.read(headLoss(engine, states, targets, 1).losses.tensor);
  });
}
