/** Work off the main thread: each job in a file of its own, run by `runJob`. */

export type { ChatOptions } from "./adapt-chat.ts";
export type { AdaptClassifyInput } from "./adapt-classes.ts";
export { type AdaptClassifyOutput, adaptClassifyJob } from "./adapt-classify.ts";
export type { AdaptCommonInput, AdaptEvent } from "./adapt-common.ts";
export { type AdaptPreferencesInput, type AdaptPreferencesOutput, adaptPreferencesJob } from "./adapt-preferences.ts";
export { type AdaptTextInput, type AdaptTextOutput, adaptTextJob } from "./adapt-text.ts";
export { type BestOfInput, bestOfJob, type RankedAnswers } from "./best-of.ts";
export { chatBehaviourJob } from "./chat-behaviour.ts";
export { classificationRates } from "./classification-rates.ts";
export {
  type ContinuationFacts,
  type PlannedContinuation,
  planContinuation,
  readContinuation,
} from "./continuation.ts";
export { type DiagnoseInput, type DiagnoseOutput, diagnoseJob } from "./diagnose.ts";
export { type EmbedInput, embedJob } from "./embed.ts";
export { type EmbedDocumentsInput, type EmbedDocumentsOutput, embedDocumentsJob } from "./embed-documents.ts";
export { type EvaluateInput, type EvaluateOutput, evaluateJob } from "./evaluate.ts";
export {
  type EvaluateEfficiencyInput,
  evaluateEfficiencyJob,
  type LabelledTexts,
} from "./evaluate-efficiency.ts";
export { type EvaluateMaskedInput, type EvaluateMaskedOutput, evaluateMaskedJob } from "./evaluate-masked.ts";
export { type EvaluatePairsInput, type EvaluatePairsOutput, evaluatePairsJob } from "./evaluate-pairs.ts";
export { type EvaluateProbeInput, type EvaluateProbeOutput, evaluateProbeJob } from "./evaluate-probe.ts";
export {
  type EvaluateTaskInput,
  type EvaluateTaskOutput,
  evaluateTaskJob,
  type TaskContamination,
} from "./evaluate-task.ts";
export { type KeptEvaluation, keepEvaluation, readEvaluations } from "./evaluations.ts";
export { type ExportInput, type ExportOutput, exportJob } from "./export.ts";
export {
  type ForgettingOptions,
  type ForgettingReport,
  forgettingHeading,
  forgettingReport,
  writeForgettingReport,
} from "./forgetting.ts";
export { type GenerateEvent, type GenerateInput, generateJob } from "./generate.ts";
export { type InfluenceInput, type InfluenceOutput, influenceJob } from "./influence.ts";
export { inspectModel, type ModelInspection } from "./inspect.ts";
export type { DeviceOptions, Job, JobContext } from "./job.ts";
export {
  type LadderShare,
  ladderResults,
  ladderTable,
  prepareLadder,
  type RungResult,
  trainLadder,
} from "./ladder.ts";
export { type DocumentTrace, type Lineage, openLineage, traceDocument } from "./lineage.ts";
export { type MeasureInput, type MeasureOutput, measureJob } from "./measure.ts";
export { type LevelRates, measureLevelsJob } from "./measure-levels.ts";
export { type MeasurePairsInput, measurePairsJob } from "./measure-pairs.ts";
export { type MeasureRankOutput, measureRankJob } from "./measure-rank.ts";
export { type MemorisationInput, type MemorisationOutput, memorisationJob } from "./memorisation.ts";
export { type MergeAdapterInput, mergeAdapterJob } from "./merge-adapter.ts";
export { planMixtureJob } from "./plan-mixture.ts";
export { type PredictClassesInput, type Prediction, predictClassesJob } from "./predict-classes.ts";
export { rebuildShards } from "./rebuild-shards.ts";
export { buildRecordedCorpus, mergeRecordedParts, recordExport } from "./record-lineage.ts";
export { reportContext } from "./report-context.ts";
export {
  buildRunCorpus,
  type LicenceShare,
  prepareRun,
  type RunCorpus,
  type RunHooks,
  resumeRun,
  tokenizeInput,
  tokenizeRun,
  trainRun,
} from "./run.ts";
export { placesOf, type RunDescription, readRunDescription, requireNoCheckpoints } from "./run-folder.ts";
export { runJob } from "./run-job.ts";
export { preparePairsRun, trainPairsRun } from "./run-pairs.ts";
export { type SearchInput, type SearchOutput, searchJob } from "./search.ts";
export {
  type ModelAnswer,
  type ModelRequest,
  type Prompt,
  type ServedLoad,
  type ServedModel,
  type ServedToken,
  type ServeEvent,
  type ServeModelInput,
  serveModelJob,
} from "./serve-model.ts";
export { finishTakedowns, type TakedownPlaces, type TakedownResult, takeDown } from "./takedown.ts";
export { type TokenizeInput, type TokenizeOutput, tokenizeJob } from "./tokenize.ts";
export { type TrainEvent, type TrainInput, type TrainOutput, trainJob } from "./train.ts";
export {
  type PairSummary,
  readPairsFile,
  type TrainPairsEvent,
  type TrainPairsInput,
  type TrainPairsOutput,
  trainPairsJob,
} from "./train-pairs.ts";
