/** The data report for a terminal: at most 100 columns, no colour, so that it reads the same in a log. */

import { formatBytes, formatCount, formatShare, printable, shorten } from "../display.ts";
import type { Amount, CorpusReport, Group, Reason } from "./figures.ts";
import { safetyLines } from "./safety.ts";

const nameWidth = 44;
const shown = 8;

/** The report as text. Figures that were cut off are counted in a last line of their table. */
export function renderReport(report: CorpusReport): string {
  const { total, kept, rejected, deduplication } = report;
  const lines = [
    `Corpus ${report.key.slice(0, 12)}: ${formatCount(total.documents)} documents, ${formatBytes(total.bytes)}, from ${formatCount(report.sources)} sources`,
    `  kept      ${amountText(kept, total)}`,
    `  rejected  ${amountText(rejected, total)}`,
    ...report.splits.map(({ name, ...amount }) => `  ${name.padEnd(9)} ${amountText(amount, kept)} of what is kept`),
    ...section("Rejected, by the first reason", report.rejectedByReason, (one) => reasonLine(one, total)),
    ...section("By kind", report.byKind, groupLine),
    ...section("By licence decision", report.byLicenceDecision, groupLine),
    ...section("By licence", report.byLicence, groupLine),
    ...section("By language", report.byLanguage, groupLine),
    ...section("Largest sources", report.topSources, groupLine),
    "",
    "Duplicates",
    `  exact     ${amountText(deduplication.exact, total)} removed`,
    `  near      ${amountText(deduplication.near, total)} removed`,
    `  clusters  ${formatCount(deduplication.clusters)}, with ${formatCount(deduplication.documentsInClusters)} documents`,
    ...deduplication.largest
      .slice(0, 3)
      .map(
        ({ members, source, path }) =>
          `  ${formatCount(members).padStart(8)} × ${shorten(printable(`${source} ${path}`), 80)}`,
      ),
    "",
    skippedLine(report.skippedFiles),
    ...safetyLines(report),
    ...report.coverage.map(coverageLine),
    ...(report.notMeasured.length === 0 ? [] : [`Not measured: ${report.notMeasured.join(", ")}.`]),
  ];
  return `${lines.join("\n")}\n`;
}

function coverageLine({ name, items, grams, topics }: CorpusReport["coverage"][number]): string {
  const [words, , three] = grams;
  const held = topics.filter(({ covered }) => covered).length;
  return `Coverage of ${shorten(printable(name), 24)} (${formatCount(items)} items): words ${formatShare(words.covered, words.distinct)}, 3-grams ${formatShare(three.covered, three.distinct)}, topics ${held} of ${topics.length}.`;
}

function section<Row>(title: string, rows: readonly Row[], line: (row: Row) => string): string[] {
  if (rows.length === 0) return [];
  const more = rows.length > shown ? [`  … and ${rows.length - shown} more in report.json`] : [];
  return ["", title, ...rows.slice(0, shown).map(line), ...more];
}

function amountText(part: Amount, whole: Amount): string {
  return `${formatCount(part.documents).padStart(8)} documents  ${formatBytes(part.bytes).padStart(8)}  ${formatShare(part.bytes, whole.bytes).padStart(6)}`;
}

function reasonLine({ name, ...amount }: Reason, total: Amount): string {
  const label = shorten(printable(name), nameWidth).padEnd(nameWidth);
  return `  ${label} ${formatCount(amount.documents).padStart(8)} ${formatBytes(amount.bytes).padStart(9)} ${formatShare(amount.bytes, total.bytes).padStart(7)}`;
}

function groupLine(group: Group): string {
  const label = shorten(printable(group.name), nameWidth).padEnd(nameWidth);
  const share = formatShare(group.keptBytes, group.bytes).padStart(6);
  return `  ${label} ${formatCount(group.documents).padStart(8)} ${formatBytes(group.bytes).padStart(9)}   ${share} kept`;
}

function skippedLine(skipped: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(skipped).map(([reason, count]) => `${formatCount(count)} × ${reason}`);
  return `Files passed over: ${reasons.length === 0 ? "none" : reasons.join(", ")}.`;
}
