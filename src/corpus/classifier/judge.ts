/** Classifiers at work in a corpus build: the score of every document, and what a threshold says of it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../../foundation/index.ts";
import type { DocumentKind, Rejection } from "../document.ts";
import { type Classifier, readClassifier } from "./model.ts";
import type { CorpusClassifier } from "./settings.ts";

/** A classifier of a corpus with its file found; the hash makes it part of a partition's key. */
export interface JudgingClassifier extends CorpusClassifier {
  readonly sha256: string;
}

/** Finds the files and checks them. Throws TilthError for a missing or damaged one, UsageError for a name used twice. */
export function prepareClassifiers(list: readonly CorpusClassifier[], baseFolder: string): JudgingClassifier[] {
  const names = list.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`two classifiers of the corpus are called "${twice}"`);
  return list.map((one) => {
    const file = resolve(baseFolder, one.file);
    readClassifier(file);
    return { ...one, file, sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
  });
}

/** One classifier is loaded once a thread. */
const loaded = new Map<string, Classifier>();

/** The document's scores as measures `classifier.<name>`, and the rejections of those outside their bounds. */
export function scoreDocument(
  text: string,
  kind: DocumentKind,
  classifiers: readonly JudgingClassifier[],
): { measures: Record<string, number>; rejections: Rejection[] } {
  const measures: Record<string, number> = {};
  const rejections: Rejection[] = [];
  for (const { name, file, sha256, kinds, minimum, maximum } of classifiers) {
    if (!kinds.includes(kind)) continue;
    const classifier = loaded.get(sha256) ?? readClassifier(file);
    loaded.set(sha256, classifier);
    const score = classifier.score(text);
    measures[`classifier.${name}`] = score;
    const expected =
      minimum !== undefined && score < minimum
        ? `at least ${minimum}`
        : maximum !== undefined && score > maximum
          ? `at most ${maximum}`
          : undefined;
    if (expected !== undefined)
      rejections.push({ stage: "classifier", rule: `classifier.${name}`, value: score, expected });
  }
  return { measures, rejections };
}
