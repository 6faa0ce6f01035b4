/** The difference of two builds for a terminal: at most 110 columns, no colour. */
import { formatBytes, formatCount, formatShare, formatValue, printable, shorten } from "../display.ts";
import type { CorpusDiff, SettingChange, ShareChange, Side, Transition } from "./compare.ts";
import { shareColumns } from "./compare.ts";

const shown = 10;
const nameWidth = 44;

/** The difference as text. What was cut off is counted in a last line. */
export function renderDiff(diff: CorpusDiff): string {
  const { documents, deduplication, quality } = diff;
  const { before, after } = deduplication;
  const pair = (name: string, one: number, other: number) =>
    `  ${name.padEnd(22)} ${formatCount(one).padStart(10)} → ${formatCount(other).padStart(10)}${one === other ? "" : `  (${signed(other - one)})`}`;
  return `${[
    sideLine("before", diff.before),
    sideLine("after", diff.after),
    "",
    `Documents: ${formatCount(documents.added)} added, ${formatCount(documents.removed)} removed, ${formatCount(documents.edited)} with another text, ${formatCount(documents.changedVerdict)} with another verdict, ${formatCount(documents.unchanged)} unchanged`,
    ...section("Verdicts: before → after", diff.transitions, transitionLine),
    ...shareColumns.flatMap((column) =>
      section(
        `Shares of kept bytes by ${column.replace("_", " ")}`,
        diff.shares[column].filter((one) => formatShare(one.shareBefore, 1) !== formatShare(one.shareAfter, 1)),
        shareLine,
      ),
    ),
    "",
    "Duplicates",
    pair("exact", before.exact.documents, after.exact.documents),
    pair("near", before.near.documents, after.near.documents),
    pair("clusters", before.clusters, after.clusters),
    pair("documents in clusters", before.documentsInClusters, after.documentsInClusters),
    ...section(
      `Measures of kept documents that moved most: quantiles ${quality.shares.map((one) => `${100 * one}%`).join(" ")}`,
      quality.measures,
      ({ kind, measure, before: old, after: next, shift }) =>
        `  ${`${kind} ${measure}`.padEnd(nameWidth)} moved ${formatValue(shift)} interquartile ranges\n    ${old.map(formatValue).join(" ")}\n    ${next.map(formatValue).join(" ")}`,
    ),
    ...section("Settings", diff.settings, settingLine, 40),
  ].join("\n")}\n`;
}

function section<Row>(title: string, rows: readonly Row[], line: (row: Row) => string, most = shown): string[] {
  if (rows.length === 0) return ["", `${title}: no difference`];
  const more = rows.length > most ? [`  … and ${rows.length - most} more with --json`] : [];
  return ["", title, ...rows.slice(0, most).map(line), ...more];
}

function sideLine(name: string, { key, tilth, total, kept }: Side): string {
  return `${name.padEnd(7)} ${key.slice(0, 12)} (Tilth ${tilth}): ${formatCount(kept.documents)} of ${formatCount(total.documents)} documents kept, ${formatBytes(kept.bytes)} of ${formatBytes(total.bytes)}`;
}

function transitionLine({ before, after, documents, bytes, examples }: Transition): string {
  const from = before ?? "(not there)";
  const to = after ?? "(not there)";
  const first = examples.map(({ id, path }) => `${id.slice(0, 8)} ${path}`).join(", ");
  return `  ${formatCount(documents).padStart(7)} ${formatBytes(bytes).padStart(8)}  ${shorten(printable(`${from} → ${to}`), 86)}\n${" ".repeat(19)}${shorten(printable(first), 88)}`;
}

function shareLine({ name, shareBefore, shareAfter, keptBytesAfter }: ShareChange): string {
  const moved = `${shareAfter >= shareBefore ? "+" : "−"}${(100 * Math.abs(shareAfter - shareBefore)).toFixed(1)}`;
  return `  ${shorten(printable(name), nameWidth).padEnd(nameWidth)} ${formatShare(shareBefore, 1).padStart(6)} → ${formatShare(shareAfter, 1).padStart(6)}  ${moved.padStart(6)} points, now ${formatBytes(keptBytesAfter)}`;
}

function settingLine({ setting, before, after }: SettingChange): string {
  const text = (value: unknown) => shorten(printable(value === undefined ? "(none)" : JSON.stringify(value)), 60);
  return `  ${setting}: ${text(before)} → ${text(after)}`;
}

function signed(value: number): string {
  return `${value > 0 ? "+" : "−"}${formatCount(Math.abs(value))}`;
}
