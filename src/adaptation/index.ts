/** What comes after pre-training: heads, adapters, instruction and preference tuning, and guards on all of them. */
export { type Adapted, prepareModel } from "./adapted.ts";
export { paddedBatch } from "./batches.ts";
export * from "./behaviour/index.ts";
export * from "./chat/index.ts";
export {
  type ClassFigures,
  type ClassifiableExamples,
  type ClassificationResult,
  evaluateClasses,
} from "./classification.ts";
export * from "./examples/index.ts";
export { generalLossOf, textSource, vocabularyOf } from "./general-loss.ts";
export * from "./guards/index.ts";
export * from "./heads/index.ts";
export { documentExamples, type LanguageExamples, languageLoss, responseExamples } from "./language.ts";
export { type Continuation, logProbabilities } from "./log-probabilities.ts";
export {
  type AdaptationTask,
  type LoopEvent,
  type LoopHooks,
  type LoopResult,
  runAdaptation,
  tripMessage,
} from "./loop.ts";
export * from "./lora/index.ts";
export { adaptToClasses, type ClassifyInput, type ClassifyResult, type ExamplePart } from "./methods/classify.ts";
export { adaptToText, type LanguageResult } from "./methods/language.ts";
export { adaptToPreferences, type PreferenceResult, rankCorrelation } from "./methods/preference.ts";
export type { Watched } from "./methods/watched.ts";
export { JointOptimizer } from "./optimization.ts";
export { type MaskedExample, packExamples, packedBatch } from "./packing.ts";
export * from "./preference/index.ts";
export {
  type AdaptationMethod,
  type AdaptationReport,
  type AdaptedStage,
  adaptationFile,
  type DataFile,
  describeData,
  describeParent,
  describeReport,
  madeBy,
  stageOf,
  type Trade,
} from "./report.ts";
export { type SavedHead, saveAdapted } from "./save.ts";
export { type AdaptationSettings, adaptationSettings } from "./settings.ts";
