/** What of the evaluation tasks a corpus covers: vocabulary, n-grams, topics. */
export { coverageOfTexts, type NearDocument, type TextCoverage } from "./cases.ts";
export {
  coverageOf,
  coveringDocuments,
  type GramCoverage,
  longestGram,
  type TaskCoverage,
  type TopicCoverage,
} from "./coverage.ts";
export { renderCoverage } from "./render.ts";
