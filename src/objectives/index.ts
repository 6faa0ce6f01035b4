/** What models learn: the registry of objectives over text, the contrastive objective, and what a trainer needs of them. */
export {
  contrastive,
  contrastiveLossOf,
  contrastiveStep,
  type Embeddings,
  embedPairs,
  type Gathering,
  type PairBatch,
} from "./contrastive.ts";
export { maskedToken, maskToken } from "./masked-token.ts";
export { type NextTokenBatch, nextToken, nextTokenLoss } from "./next-token.ts";
export type {
  ObjectiveBatch,
  ObjectiveDefinition,
  ObjectiveEntry,
  SequencePlan,
  TextObjective,
  TokenSource,
  Vocabulary,
} from "./objective.ts";
export { headLoss } from "./objective.ts";
export { likeliestTokens } from "./predictions.ts";
export {
  type ChosenObjective,
  chooseObjective,
  type ObjectiveName,
  objectiveNamed,
  objectiveSettings,
  objectives,
  registerObjective,
} from "./registry.ts";
export { type RecallResult, retrieval } from "./retrieval.ts";
export {
  documentEnds,
  documentStarts,
  replayedBefore,
  sequencesFrom,
  sequencesOfStep,
  sequencesWithReplay,
} from "./sequences.ts";
