/** The report's files. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../../foundation/index.ts";
import type { DocumentStore } from "../store/index.ts";
import { renderAttribution } from "./attribution.ts";
import { type CorpusReport, corpusReport, type ReportContext } from "./figures.ts";
import { renderReportHtml } from "./html.ts";

/** Names of the files that `writeCorpusReport` writes. */
export const reportNames = ["report.json", "report.html", "ATTRIBUTION.md"] as const;

/** Computes the report of a store and writes report.json, report.html and ATTRIBUTION.md into `folder`. */
export async function writeCorpusReport(
  store: DocumentStore,
  folder: string,
  context: ReportContext = {},
): Promise<CorpusReport> {
  const report = await corpusReport(store, context);
  mkdirSync(folder, { recursive: true });
  const contents: Readonly<Record<(typeof reportNames)[number], string>> = {
    "report.json": `${JSON.stringify(report, null, 2)}\n`,
    "report.html": await renderReportHtml(report),
    "ATTRIBUTION.md": await renderAttribution(store),
  };
  for (const name of reportNames) writeFileAtomically(join(folder, name), contents[name]);
  return report;
}
