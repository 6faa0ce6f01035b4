/** Decontamination: evaluation texts found in training texts, and taken out of them. */
export { type ContaminatedItem, contaminationOf, type MatchedSpan, type SetContamination } from "./contamination.ts";
export {
  type EvaluationSet,
  type EvaluationSetInput,
  evaluationSet,
  type LoadedEvaluationSet,
  loadEvaluationSets,
} from "./evaluation-sets.ts";
export { GramIndex } from "./gram-index.ts";
export { type DecontaminationSettings, decontaminate, decontaminationSettings } from "./removal.ts";
