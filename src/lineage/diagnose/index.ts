/** Where odd behaviour comes from: the data, fine-tuning, post-training, or that it cannot be told yet. */
export {
  type ClassificationCase,
  type ContinuationCase,
  type DiagnosisCase,
  isClassification,
  parseCases,
  textOf,
} from "./cases.ts";
export { type CoverageShares, type Diagnosis, diagnose, type Origin, type StageScores } from "./decide.ts";
