/** What a checkpoint can do: likelihood of held-out text, and the baselines beside it. */
export * from "./baselines/index.ts";
export {
  type DocumentScores,
  evaluateLikelihood,
  type LikelihoodFigures,
  type LikelihoodResult,
  type ScoredDocument,
  scoreDocuments,
  type WindowOptions,
} from "./bits-per-byte.ts";
export { type ComparedBitsPerByte, compareBitsPerByte } from "./compare-bits-per-byte.ts";
export * from "./image-text/index.ts";
export { comparePaired, type PairedComparison } from "./paired.ts";
export * from "./probes/index.ts";
export {
  type Pooling,
  poolings,
  type RepresentationOptions,
  type Representations,
  representationsOf,
} from "./representations.ts";
export {
  type EfficiencyCurve,
  type EfficiencyPoint,
  type SampleEfficiency,
  sampleEfficiency,
} from "./sample-efficiency.ts";
export * from "./tasks/index.ts";
export { bagsOfWords, type WordOrderExamples, wordOrderExamples } from "./word-order.ts";
