/** Personal data and profanity in sentences. */
import { formatCount } from "../display.ts";
import type { CorpusReport } from "./figures.ts";

/** What was replaced and how much profanity is left, as a sentence each. */
export function safetyLines(report: Pick<CorpusReport, "personalData" | "toxicity">): [string, string] {
  const replaced = report.personalData.map(
    ({ kind, spans, documents }) => `${formatCount(spans)} × ${kind} in ${formatCount(documents)}`,
  );
  return [
    `Personal data and secrets replaced in kept documents: ${replaced.length === 0 ? "none found" : replaced.join(", ")}.`,
    `Profanity by word list: ${formatCount(report.toxicity.words)} words in ${formatCount(report.toxicity.documents)} kept documents.`,
  ];
}
