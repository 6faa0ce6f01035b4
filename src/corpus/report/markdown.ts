/** The data report as a section of the model card. */

import { formatBytes, formatCount, formatShare, printable } from "../display.ts";
import type { CorpusReport, Group } from "./figures.ts";
import { safetyLines } from "./safety.ts";

const shown = 10;

/** A Markdown section that starts with a heading of the second level. */
export function renderReportMarkdown(report: CorpusReport): string {
  const { total, kept, deduplication } = report;
  const removed = deduplication.exact.documents + deduplication.near.documents;
  return `${[
    "## Training data",
    "",
    `${formatCount(kept.documents)} of ${formatCount(total.documents)} documents were kept (${formatBytes(kept.bytes)} of ${formatBytes(total.bytes)}), from ${formatCount(report.sources)} sources. ${formatCount(removed)} were removed as duplicates (${formatCount(deduplication.exact.documents)} exact, ${formatCount(deduplication.near.documents)} near). Corpus key: \`${report.key}\`.`,
    "",
    ...table("Kind", report.byKind, kept.bytes),
    "",
    ...table("Licence decision", report.byLicenceDecision, kept.bytes),
    "",
    ...table("Licence", report.byLicence, kept.bytes),
    "",
    ...table("Language", report.byLanguage, kept.bytes),
    "",
    ...safetyLines(report).flatMap((line) => [line, ""]),
    ...report.coverage.map(
      ({ name, grams: [words, , three] }) =>
        `Evaluation coverage, ${cell(name)}: ${formatShare(words.covered, words.distinct)} of its words and ${formatShare(three.covered, three.distinct)} of its 3-grams stand in training documents.\n`,
    ),
    ...(report.notMeasured.length === 0 ? [] : [`Not measured: ${report.notMeasured.join(", ")}.`]),
  ].join("\n")}\n`;
}

/** What was kept, largest first; groups of which nothing was kept trained nothing and are left out. */
function table(title: string, groups: readonly Group[], keptBytes: number): string[] {
  const kept = groups.filter(({ keptDocuments }) => keptDocuments > 0).sort((a, b) => b.keptBytes - a.keptBytes);
  return [
    `| ${title} | Documents | Bytes | Share |`,
    "|---|---:|---:|---:|",
    ...kept
      .slice(0, shown)
      .map(
        (group) =>
          `| ${cell(group.name)} | ${formatCount(group.keptDocuments)} | ${formatBytes(group.keptBytes)} | ${formatShare(group.keptBytes, keptBytes)} |`,
      ),
  ];
}

/** Names come from package.json files of strangers: nothing in them may become markup. */
function cell(text: string): string {
  return printable(text)
    .replace(/[\\|`*_[\]<>]/g, "\\$&")
    .replace(/\s+/g, " ");
}
