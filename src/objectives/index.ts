/** The objectives: one file each, one line here. */
import { nextTokenLoss } from "./next-token.ts";

/** What a configuration's `objective` takes. */
export const objectives = { "next-token": nextTokenLoss } as const;

/** An objective's name. */
export type ObjectiveName = keyof typeof objectives;

export {
  contrastiveLossOf,
  contrastiveStep,
  type Embeddings,
  embedPairs,
  type PairBatch,
} from "./contrastive.ts";
export { type NextTokenBatch, nextTokenLoss } from "./next-token.ts";
export { type RecallResult, retrieval } from "./retrieval.ts";
