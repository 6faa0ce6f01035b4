/** The settings of a corpus: one strict object, every default in it. */
import { z } from "zod";
import { parseSettings, settingsObject } from "../foundation/index.ts";
import { corpusClassifier } from "./classifier/index.ts";
import { decontaminationSettings, type EvaluationSet, evaluationSet } from "./decontamination/index.ts";
import { deduplicationSettings } from "./dedup/index.ts";
import { filterSettings } from "./filters/index.ts";
import { languageSettings } from "./language/index.ts";
import { licencePolicy } from "./licences/index.ts";
import { piiSettings } from "./pii/index.ts";
import { type CorpusSource, corpusSource } from "./readers/index.ts";

const splitShape = {
  validationShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("share of the clusters that validates while the byte cap lasts"),
  maximumValidationBytes: z.int().min(0).default(1_000_000).describe("bytes of text that validate at most"),
  maximumClusterBytes: z
    .int()
    .min(0)
    .default(50_000)
    .describe("largest cluster that validates: one document must not be the measurement"),
  seed: z.int().min(0).default(1).describe("of the draw"),
};

const corpusShape = {
  filters: filterSettings.prefault({}),
  language: languageSettings.prefault({}),
  deduplication: deduplicationSettings.prefault({}),
  decontamination: decontaminationSettings.prefault({}),
  licences: licencePolicy.prefault({}),
  pii: piiSettings.prefault({}),
  classifiers: z
    .array(corpusClassifier)
    .default([])
    .describe("trained classifiers whose scores are stored, and may judge"),
  split: settingsObject("split", splitShape).prefault({}),
  maximumFileBytes: z
    .int()
    .min(1)
    .max(512 * 1024 * 1024, { error: "512 MiB is the longest text that the runtime can hold" })
    .default(4_000_000)
    .describe("larger files are listed and rejected without being read"),
  maximumDocumentSeconds: z
    .number()
    .positive()
    .max(86_400)
    .default(120)
    .describe("a document that takes longer to process is given up and recorded"),
  includeData: z.boolean().default(false).describe("also read JSON, YAML, CSV, XML and the like as they are"),
};

/** How a corpus is built from its sources. */
export const corpusSettings = settingsObject("corpus", corpusShape);

export type CorpusSettings = z.infer<typeof corpusSettings>;
export type CorpusSettingsInput = z.input<typeof corpusSettings>;

/** Settings with all defaults; throws UsageError that names every setting that is wrong. */
export function parseCorpusSettings(settings: unknown): CorpusSettings {
  return parseSettings(corpusSettings, settings, "the corpus settings");
}

/** The sources of a corpus. */
export const corpusSources = z.array(corpusSource).min(1, { error: "at least one source is needed" });

/** Sources as configured; throws UsageError that names what is wrong. */
export function parseSources(sources: unknown): CorpusSource[] {
  return parseSettings(corpusSources, sources, "the corpus sources");
}

/** The evaluation sets that a corpus must not hold. */
export const evaluationSets = z.array(evaluationSet);

/** Evaluation sets as configured; throws UsageError that names what is wrong. */
export function parseEvaluationSets(sets: unknown): EvaluationSet[] {
  return parseSettings(evaluationSets, sets, "the evaluation sets");
}
