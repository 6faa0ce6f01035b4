import { type Engine, headCrossEntropy, type Variable } from "../engine/index.ts";
import type { LanguageModel, TokenBatch } from "../models/index.ts";

/** What the objective needs of a batch: the next token at each position, or a negative number where none counts. */
export interface NextTokenBatch extends TokenBatch {
  readonly targets: Int32Array;
}

/**
 * Next-token prediction (GPT). Returns the summed cross-entropy over `normalizer` targets as the loss, and the loss of
 * every token in nats.
 */
export function nextTokenLoss(
  engine: Engine,
  model: LanguageModel,
  batch: NextTokenBatch,
  normalizer: number,
): { loss: Variable; losses: Variable } {
  const { hidden, head } = model.forward(engine, batch);
  const targets = engine.constant(batch.targets);
  return engine.run(headCrossEntropy, { x: hidden, weight: head }, { targets, normalizer });
}
