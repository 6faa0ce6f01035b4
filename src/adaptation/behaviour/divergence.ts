/** How far a model has gone from another: the KL divergence of what both would write next. */
import { type Engine, rows, rowsOf } from "../../engine/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { paddedBatch } from "../batches.ts";
import type { Continuation } from "../log-probabilities.ts";

/** A model on its own engine; both share a backend. */
export interface PlacedModel {
  readonly engine: Engine;
  readonly model: LanguageModel;
}

/** Positions that are compared at most. */
const most = 256;

/** Mean over the continuations' tokens of KL(model ‖ reference), in nats. */
export async function divergence(
  own: PlacedModel,
  reference: PlacedModel,
  given: readonly Continuation[],
): Promise<number> {
  const [ours, theirs] = [await logitsOf(own, given), await logitsOf(reference, given)];
  let total = 0;
  for (let row = 0; row < ours.length; row++) total += divergenceOf(ours[row], theirs[row]);
  return ours.length === 0 ? 0 : total / ours.length;
}

function divergenceOf(logits: Float32Array, other: Float32Array): number {
  const [scale, otherScale] = [logSumExp(logits), logSumExp(other)];
  let sum = 0;
  for (let id = 0; id < logits.length; id++) {
    const log = logits[id] - scale;
    sum += Math.exp(log) * (log - (other[id] - otherScale));
  }
  return sum;
}

function logSumExp(values: Float32Array): number {
  const highest = values.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}

/** Logits before every predicted token. */
function logitsOf({ engine, model }: PlacedModel, given: readonly Continuation[]): Promise<Float32Array[]> {
  const inputs = given.map(({ tokens }) => tokens.subarray(0, -1));
  const batch = paddedBatch(model, inputs, 0);
  const places = given.flatMap(({ tokens, from }, index) =>
    Array.from({ length: tokens.length - from }, (_, i) => index * batch.length + from + i - 1),
  );
  // Every so many, so that all texts are among them.
  const every = Math.max(1, Math.ceil(places.length / most));
  const chosen = Int32Array.from(places.filter((_, index) => index % every === 0));
  return engine.scope({ record: false }, async () => {
    const { hidden, head } = model.forward(engine, { ...batch, rows: chosen });
    const vocabulary = rowsOf(head.tensor);
    const logits = engine.allocate([chosen.length, vocabulary]);
    engine.backend.kernels.matmul(logits, rows(hidden.tensor, 0, chosen.length), head.tensor, { transposeB: true });
    const values = await engine.backend.read(logits);
    return Array.from(chosen, (_, row) => values.slice(row * vocabulary, (row + 1) * vocabulary));
  });
}
