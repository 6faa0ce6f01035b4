/** Log-probabilities of given continuations, and gradients of any function of them. */
import { type Engine, gatherRows, headCrossEntropy, type Variable } from "../engine/index.ts";
import type { HiddenStates, LanguageModel } from "../models/index.ts";
import { paddedBatch } from "./batches.ts";

/** Tokens with the part that counts: what a model says of them from `from` on. */
export interface Continuation {
  readonly tokens: Int32Array;
  /** The first token that is predicted, at least 1. */
  readonly from: number;
}

/** The hidden states behind every predicted token, their targets, and where each continuation's lie. */
interface Scored {
  readonly states: HiddenStates;
  readonly targets: Int32Array;
  readonly starts: readonly number[];
}

function forward(engine: Engine, model: LanguageModel, given: readonly Continuation[], dropoutKey?: number): Scored {
  const inputs = given.map(({ tokens }) => tokens.subarray(0, -1));
  const batch = paddedBatch(model, inputs, 0);
  const starts: number[] = [];
  const rows: number[] = [];
  const targets: number[] = [];
  given.forEach(({ tokens, from }, index) => {
    starts.push(rows.length);
    for (let at = from; at < tokens.length; at++) {
      rows.push(index * batch.length + at - 1);
      targets.push(tokens[at]);
    }
  });
  starts.push(rows.length);
  const key = dropoutKey === undefined ? {} : { dropoutKey };
  const states = model.forward(engine, { ...batch, ...key, rows: Int32Array.from(rows) });
  return { states, targets: Int32Array.from(targets), starts };
}

/** Sums of log-probabilities, without gradients. */
async function sumsOf(engine: Engine, { states, targets, starts }: Scored): Promise<Float64Array> {
  const apart = ({ tensor }: Variable): Variable => ({ tensor, requiresGradient: false });
  const options = { targets: engine.constant(targets), normalizer: 1 };
  const { losses } = engine.run(headCrossEntropy, { x: apart(states.hidden), weight: apart(states.head) }, options);
  const values = await engine.backend.read(losses.tensor);
  return Float64Array.from(starts.slice(1), (end, index) => {
    let sum = 0;
    for (let row = starts[index]; row < end; row++) sum -= values[row];
    return sum;
  });
}

const together = 16;

/** The log-probability of every continuation, in nats. */
export async function logProbabilities(
  engine: Engine,
  model: LanguageModel,
  given: readonly Continuation[],
): Promise<Float64Array> {
  const out = new Float64Array(given.length);
  for (let first = 0; first < given.length; first += together) {
    const some = given.slice(first, first + together);
    out.set(await engine.scope({ record: false }, () => sumsOf(engine, forward(engine, model, some))), first);
  }
  return out;
}

/**
 * Adds the gradients of a loss that is a function of the log-probabilities: `differentiate` is given them and returns the loss and
 * its derivative by each. One forward and one backward pass; the head runs once more, to know the derivatives beforehand.
 */
export async function accumulateGradients(
  engine: Engine,
  model: LanguageModel,
  given: readonly Continuation[],
  differentiate: (sums: Float64Array) => { readonly loss: number; readonly derivatives: ArrayLike<number> },
  dropoutKey?: number,
): Promise<number> {
  return engine.scope({ record: true }, async () => {
    const scored = forward(engine, model, given, dropoutKey);
    const { loss, derivatives } = differentiate(await sumsOf(engine, scored));
    const { states, targets, starts } = scored;
    const losses = given.flatMap((_, index) => {
      const derivative = derivatives[index];
      const [from, to] = [starts[index], starts[index + 1]];
      if (derivative === 0 || from === to) return [];
      const rows = engine.constant(Int32Array.from({ length: to - from }, (_, i) => from + i));
      const x = engine.run(gatherRows, { x: states.hidden }, { rows }).out;
      // The cross-entropy is minus the log-probability; dividing by the normalizer weighs it.
      const options = { targets: engine.constant(targets.slice(from, to)), normalizer: -1 / derivative };
      return [engine.run(headCrossEntropy, { x, weight: states.head }, options).loss];
    });
    if (losses.length > 0) engine.backward(...losses);
    return loss;
  });
}
