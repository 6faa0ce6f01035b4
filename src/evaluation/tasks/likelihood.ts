/** Log-likelihoods of continuations: encoded as lm-evaluation-harness does, batched by length, each asked only once. */
import { type Engine, headCrossEntropy, rows, type Tensor } from "../../engine/index.ts";
import type { ProgressListener } from "../../foundation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import type { Choice } from "./item.ts";

/** What is needed of a tokenizer. */
export interface TaskTokenizer {
  readonly endOfText: number;
  encode(text: string): Int32Array;
}

/** What a model says of a continuation. */
export interface ContinuationScore {
  /** Natural log of its probability after the context. */
  readonly logLikelihood: number;
  /** Tokens of the continuation. */
  readonly tokens: number;
  /** Whether each token is the likeliest after those before it; absent where it was not asked for. */
  readonly greedy?: boolean;
}

interface Request {
  /** Context and continuation without the last token: what the model reads. */
  readonly input: Int32Array;
  readonly continuation: Int32Array;
}

const batchTokens = 4096;

/**
 * Scores in the order of the choices. A context longer than the model's loses its beginning. With `greedy`, also whether the
 * model would have written the continuation itself.
 */
export async function scoreContinuations(
  engine: Engine,
  model: LanguageModel,
  tokenizer: TaskTokenizer,
  choices: readonly Choice[],
  options: { readonly greedy?: boolean; readonly onProgress?: ProgressListener } = {},
): Promise<ContinuationScore[]> {
  const { context } = model.architecture.dimensions(model.configuration);
  const requests = choices.map((choice) => encode(tokenizer, choice, context));
  const keys = requests.map(
    ({ input, continuation }) => `${input.join()}|${continuation.length}|${continuation.at(-1)}`,
  );
  const distinct = [...new Map(keys.map((key, index) => [key, requests[index]]))];
  // Requests of like length share a batch, longest first: what does not fit in memory fails at once.
  distinct.sort(([, a], [, b]) => b.input.length - a.input.length);
  const scores = new Map<string, ContinuationScore>();
  for (let first = 0; first < distinct.length; ) {
    const count = Math.max(1, Math.floor(batchTokens / distinct[first][1].input.length));
    const batch = distinct.slice(first, first + count);
    const scored = await scoreBatch(
      engine,
      model,
      batch.map(([, request]) => request),
      options.greedy ?? false,
    );
    batch.forEach(([key], index) => void scores.set(key, scored[index]));
    first += count;
    options.onProgress?.({
      stage: "evaluating",
      done: Math.min(first, distinct.length),
      total: distinct.length,
      unit: "requests",
    });
  }
  return keys.map((key) => scores.get(key)!);
}

/**
 * White space that ends the context goes to the continuation, and both are encoded together, so that the continuation's
 * tokens are those it has in running text. Without a context the end-of-text token stands before it.
 */
function encode(tokenizer: TaskTokenizer, { context, continuation }: Choice, limit: number): Request {
  let all: Int32Array;
  let contextTokens: number;
  if (context === "") {
    all = Int32Array.of(tokenizer.endOfText, ...tokenizer.encode(continuation));
    contextTokens = 1;
  } else {
    const trimmed = context.trimEnd();
    all = tokenizer.encode(context + continuation);
    contextTokens = tokenizer.encode(trimmed).length;
  }
  const continuationIds = all.slice(contextTokens);
  return { input: all.slice(0, -1).slice(-limit), continuation: continuationIds };
}

function scoreBatch(
  engine: Engine,
  model: LanguageModel,
  requests: readonly Request[],
  greedy: boolean,
): Promise<ContinuationScore[]> {
  const length = Math.max(...requests.map(({ input }) => input.length));
  const tokens = new Int32Array(requests.length * length);
  const targets = new Int32Array(tokens.length).fill(-1);
  // Padding stands behind, where no scored token sees it.
  const starts = requests.map(({ input, continuation }, row) => {
    const counted = Math.min(continuation.length, input.length);
    const start = row * length + input.length - counted;
    tokens.set(input, row * length);
    targets.set(continuation.subarray(continuation.length - counted), start);
    return { start, counted };
  });
  return engine.scope({ record: false }, async () => {
    const { hidden, head } = model.forward(engine, { sequences: requests.length, length, tokens });
    const inputs = { x: hidden, weight: head };
    const { losses } = engine.run(headCrossEntropy, inputs, { targets: engine.constant(targets), normalizer: 1 });
    const values = await engine.backend.read(losses.tensor);
    const scores: ContinuationScore[] = [];
    for (const { start, counted } of starts) {
      let logLikelihood = 0;
      for (let i = start; i < start + counted; i++) logLikelihood -= values[i];
      const wanted = targets.subarray(start, start + counted);
      const score = { logLikelihood, tokens: counted };
      scores.push(
        greedy
          ? { ...score, greedy: await likeliest(engine, rows(hidden.tensor, start, counted), head.tensor, wanted) }
          : score,
      );
    }
    return scores;
  });
}

/** Whether each wanted token has the highest logit of its row; the lower id wins a tie. */
async function likeliest(engine: Engine, hidden: Tensor, head: Tensor, wanted: Int32Array): Promise<boolean> {
  const vocabulary = head.shape[0];
  const logits = engine.allocate([wanted.length, vocabulary]);
  engine.backend.kernels.matmul(logits, hidden, head, { transposeB: true });
  const values = await engine.backend.read(logits);
  return wanted.every((token, row) => {
    const ofRow = values.subarray(row * vocabulary, (row + 1) * vocabulary);
    return ofRow.every((logit, id) => logit < ofRow[token] || id === token || (logit === ofRow[token] && id > token));
  });
}
