/** Log-likelihoods of continuations: encoded as lm-evaluation-harness does, batched by length, each asked only once. */
import { type Engine, gatherRows, headCrossEntropy } from "../../engine/index.ts";
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
  const counts = requests.map(({ input, continuation }) => Math.min(continuation.length, input.length));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const tokens = new Int32Array(requests.length * length);
  const [positions, targets] = [new Int32Array(total), new Int32Array(total)];
  let filled = 0;
  // Padding stands behind, where no scored token sees it.
  for (const [row, { input, continuation }] of requests.entries()) {
    tokens.set(input, row * length);
    targets.set(continuation.subarray(continuation.length - counts[row]), filled);
    for (let left = counts[row]; left > 0; left--) positions[filled++] = row * length + input.length - left;
  }
  return engine.scope({ record: false }, async () => {
    const { hidden, head } = model.forward(engine, { sequences: requests.length, length, tokens });
    // The head, often most of the work, meets only the tokens that are scored.
    const { out: x } = engine.run(gatherRows, { x: hidden }, { rows: engine.constant(positions) });
    const gaps = greedy ? engine.allocate([total]) : undefined;
    const options = { targets: engine.constant(targets), normalizer: 1, gaps };
    const { losses } = engine.run(headCrossEntropy, { x, weight: head }, options);
    const values = await engine.backend.read(losses.tensor);
    const behind = gaps && (await engine.backend.read(gaps));
    let start = 0;
    return counts.map((count) => {
      const end = start + count;
      const logLikelihood = -values.subarray(start, end).reduce((sum, loss) => sum + loss, 0);
      const score = { logLikelihood, tokens: count };
      const likeliest = behind?.subarray(start, end).every((gap) => gap === 0);
      start = end;
      return likeliest === undefined ? score : { ...score, greedy: likeliest };
    });
  });
}
