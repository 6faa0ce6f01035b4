/** The data report as one HTML file without outside assets. */
import { escapeHtml } from "../../foundation/index.ts";
import { coveringDocuments } from "../coverage/index.ts";
import { formatBytes, formatCount, formatShare, formatValue } from "../display.ts";
import type { Amount, CorpusReport, Group, MeasureQuantiles, Reason } from "./figures.ts";
import { drawReport } from "./plots.ts";
import { safetyLines } from "./safety.ts";
import { style } from "./style.ts";

/** The page. It loads nothing and runs no script; its plots have their figures as text and as tables too. */
export async function renderReportHtml(report: CorpusReport): Promise<string> {
  const plots = await drawReport(report);
  const { total, kept, rejected, deduplication, quality } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Corpus report</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Corpus report</h1>
<p class="note">Key ${escapeHtml(report.key)}, Tilth ${escapeHtml(report.tilth)}. Bytes are UTF-8 lengths of the normalised text; a file that could not be read has none.</p>
<dl class="figures">
${figure("Documents", formatCount(total.documents), formatBytes(total.bytes))}
${figure("Kept", formatCount(kept.documents), amountNote(kept, total))}
${figure("Rejected", formatCount(rejected.documents), amountNote(rejected, total))}
${report.splits.map((split) => figure(split.name, formatCount(split.documents), amountNote(split, kept))).join("\n")}
</dl>
${plotSection("What trains", plots.mixture)}
${plotSection("From what was read to what was kept", plots.funnel)}
${reasonTable("Rejected, by the first reason", report.rejectedByReason, total)}
${groupTable("By kind", report.byKind)}
${groupTable("By licence decision", report.byLicenceDecision)}
${groupTable("By licence", report.byLicence, plots.licences)}
${groupTable("By language", report.byLanguage, plots.languages)}
${plotSection("Length", plots.lengths)}
${groupTable(`Largest of ${formatCount(report.sources)} sources`, report.topSources)}
<section>
<h2>Duplicates</h2>
<p>${formatCount(deduplication.exact.documents)} exact duplicates (${formatBytes(deduplication.exact.bytes)}) and ${formatCount(deduplication.near.documents)} near-duplicates (${formatBytes(deduplication.near.bytes)}) were removed. ${formatCount(deduplication.clusters)} clusters have ${formatCount(deduplication.documentsInClusters)} documents.</p>
${plots.clusters}
${rows(
  ["Largest clusters, by their kept member", "Members", "Bytes"],
  deduplication.largest.map((one) => [
    `${escapeHtml(one.source)} <span class="path">${escapeHtml(one.path)}</span>`,
    formatCount(one.members),
    formatBytes(one.bytes),
  ]),
)}
</section>
<section>
<h2>Quality</h2>
<p>Quantiles over ${formatCount(quality.documents)} kept documents.</p>
${kindsOf(quality.measures)
  .map((kind) => qualityTable(kind, quality.measures, quality.shares, plots.measures))
  .join("\n")}
</section>
${coverageSection(report.coverage, plots.coverage)}
<section>
<h2>Files passed over</h2>
${rows(
  ["Reason", "Files"],
  Object.entries(report.skippedFiles).map(([reason, count]) => [escapeHtml(reason), formatCount(count)]),
)}
</section>
<section>
<h2>Personal data and toxicity</h2>
${safetyLines(report)
  .map((line) => `<p>${escapeHtml(line)}</p>`)
  .join("\n")}
${report.notMeasured.length === 0 ? "" : `<h2>Not measured</h2>\n<p>${report.notMeasured.map(escapeHtml).join(", ")}.</p>`}
</section>
</main>
</body>
</html>
`;
}

function plotSection(title: string, plot: string): string {
  return plot === "" ? "" : `<section>\n<h2>${escapeHtml(title)}</h2>\n${plot}\n</section>`;
}

/** Coverage of the registered tasks: the plot, then words, n-grams and topics in figures. */
function coverageSection(tasks: CorpusReport["coverage"], plot: string): string {
  if (tasks.length === 0) return "";
  const lengths = [1, 2, 3, 5, 8, 13];
  const body = tasks.map(({ name, items, grams, topics, itemsInCoveredTopics }) => [
    escapeHtml(name),
    formatCount(items),
    ...lengths.map((n) => {
      const { covered, distinct } = grams[n - 1];
      return formatShare(covered, distinct);
    }),
    `${topics.filter(({ covered }) => covered).length} of ${topics.length}`,
    itemsInCoveredTopics === null ? "" : formatShare(itemsInCoveredTopics.value, 1),
  ]);
  const head = ["Task", "Items", ...lengths.map((n) => (n === 1 ? "Words" : `${n}-grams`)), "Topics", "Items in them"];
  const topicRows = tasks.flatMap(({ name, topics }) =>
    topics.map(({ label, words, items, documents }) => [
      escapeHtml(`${name}: ${label ?? words.slice(0, 6).join(" ")}`),
      formatCount(items),
      formatCount(documents),
    ]),
  );
  return `<section>
<h2>Evaluation coverage</h2>
<p>Of the words, n-grams and topics of each registered task, the share that the training documents hold; a topic is held by ${coveringDocuments} documents or more about it.</p>
${plot}
${rows(head, body)}
<details><summary>Topics</summary>
${rows(["Topic", "Items", "Training documents"], topicRows)}
</details>
</section>`;
}

function figure(name: string, value: string, note: string): string {
  return `<div><dt>${escapeHtml(name)}</dt><dd>${value}<small>${note}</small></dd></div>`;
}

function amountNote(part: Amount, whole: Amount): string {
  return `${formatBytes(part.bytes)}, ${formatShare(part.bytes, whole.bytes)}`;
}

function reasonTable(title: string, reasons: readonly Reason[], total: Amount): string {
  const body = reasons.map((one) => [
    escapeHtml(one.name),
    formatCount(one.documents),
    formatBytes(one.bytes),
    bar(one.documents, total.documents),
  ]);
  return `<section>\n<h2>${escapeHtml(title)}</h2>\n${rows(["Reason", "Documents", "Bytes", "Of all documents"], body)}\n</section>`;
}

function groupTable(title: string, groups: readonly Group[], plot = ""): string {
  const body = groups.map((one) => [
    escapeHtml(one.name),
    formatCount(one.documents),
    formatBytes(one.bytes),
    formatCount(one.keptDocuments),
    formatBytes(one.keptBytes),
    bar(one.keptBytes, one.bytes),
  ]);
  const head = ["", "Documents", "Bytes", "Kept", "Bytes kept", "Share kept"];
  return `<section>\n<h2>${escapeHtml(title)}</h2>\n${plot}\n${rows(head, body)}\n</section>`;
}

function kindsOf(measures: readonly MeasureQuantiles[]): string[] {
  return [...new Set(measures.map(({ kind }) => kind))];
}

/** Measures that judged are open to view; the others wait behind a fold. */
function qualityTable(
  kind: string,
  measures: readonly MeasureQuantiles[],
  shares: readonly number[],
  plots: ReadonlyMap<string, string>,
): string {
  const head = ["Measure", "Spread", ...shares.map((share) => `${100 * share}%`), "Asked for"];
  const bodyOf = (judging: boolean) =>
    measures
      .filter((one) => one.kind === kind && (one.threshold !== null) === judging)
      .map(({ measure, quantiles, threshold }) => [
        escapeHtml(measure),
        plots.get(`${kind} ${measure}`) ?? "",
        ...quantiles.map(formatValue),
        threshold === null ? "" : escapeHtml(threshold),
      ]);
  return `<h3>${escapeHtml(kind)}</h3>\n${rows(head, bodyOf(true))}\n<details><summary>Measures that judged nothing</summary>\n${rows(head, bodyOf(false))}\n</details>`;
}

/** A table of cells that are already HTML. */
function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  if (body.length === 0) return '<p class="note">None.</p>';
  // A column without a name has no header that would have to say something.
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => (cell === "" ? "<td></td>" : `<${tag}>${cell}</${tag}>`)).join("")}</tr>`;
  return `<div class="wide"><table>\n<thead>${line(head.map(escapeHtml), "th")}</thead>\n<tbody>\n${body.map((cells) => line(cells, "td")).join("\n")}\n</tbody></table></div>`;
}

function bar(part: number, whole: number): string {
  const share = whole === 0 ? 0 : (100 * part) / whole;
  return `<span class="bar"><i style="width:${share.toFixed(1)}%"></i></span> <span class="share">${formatShare(part, whole)}</span>`;
}
