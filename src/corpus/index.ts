/** The corpus: from sources to a store of documents, each with everything that decided about it. */
export { buildCorpus, type CorpusBuild, type CorpusBuildOptions, type CorpusListing, listCorpus } from "./build.ts";
export {
  type Classifier,
  type ClassifierEvaluation,
  classifierSettings,
  evaluateScores,
  type LabelledText,
  readClassifier,
  trainClassifier,
  writeClassifier,
} from "./classifier/index.ts";
export { coverageOf, coverageOfTexts, renderCoverage, type TaskCoverage, type TextCoverage } from "./coverage/index.ts";
export {
  contaminationOf,
  type EvaluationSet,
  type EvaluationSetInput,
  type LoadedEvaluationSet,
  loadEvaluationSets,
  type SetContamination,
} from "./decontamination/index.ts";
export { type CorpusDiff, compareCorpora, renderDiff } from "./diff/index.ts";
export type {
  DocumentKind,
  DocumentRow,
  LicenceDecision,
  LicenceFinding,
  Rejection,
  Split,
} from "./document.ts";
export {
  atLeast,
  atMost,
  between,
  type DocumentView,
  defineFilter,
  type Filter,
  type FilterEntry,
  filterCatalogue,
  registerFilter,
  type Threshold,
} from "./filters/index.ts";
export { profanityOf } from "./filters/toxicity.ts";
export { decideLicence, type LicencePolicy, licencePolicy } from "./licences/index.ts";
export {
  groupExpression,
  type Mixture,
  type MixtureDocument,
  type MixturePlan,
  type MixtureSettings,
  mixturePlan,
  mixtureSettings,
  planMixture,
  renderMixture,
} from "./mixture/index.ts";
export { buildPart, mergeParts, missingParts, type Part, type PartOutcome, parsePart } from "./parts.ts";
export { type CorpusSource, type CorpusSourceInput, corpusSource, readerCatalogue } from "./readers/index.ts";
export {
  type CorpusReport,
  corpusReport,
  type DocumentStory,
  documentStory,
  type ReportContext,
  renderAttribution,
  renderReport,
  renderReportHtml,
  renderReportMarkdown,
  renderSample,
  renderStory,
  reportNames,
  type SampleOptions,
  sampleDocuments,
  writeCorpusReport,
} from "./report/index.ts";
export {
  type CorpusSettings,
  type CorpusSettingsInput,
  corpusSettings,
  corpusSources,
  evaluationSets,
  parseEvaluationSets,
} from "./settings.ts";
export {
  type CorpusCounts,
  type CorpusManifest,
  type DocumentStore,
  fileView,
  lockReadOnly,
  onlySelect,
  openDocumentStore,
  type QueryParameter,
  readManifest as readCorpusManifest,
  type StreamedDocument,
  sqlString,
} from "./store/index.ts";
export {
  forEachSpan,
  type NamedDocument,
  readTombstones,
  removeOldRows,
  rewriteStore,
  type Selection,
  SpanSet,
  selectDocuments,
  spanTokens,
  type TakedownRequest,
  type Tombstone,
  textTokens,
  writeTombstones,
} from "./takedown/index.ts";
export { type SourceText, sourceTexts } from "./texts.ts";
