/** The plots of the HTML report, each from figures that stand in report.json too. */
import { longestGram, type TaskCoverage } from "../coverage/index.ts";
import { formatBytes, formatCount, formatShare, formatValue, printable, shorten } from "../display.ts";
import type { CorpusReport, Group } from "./figures.ts";
import type { FunnelStage, LengthClass, MeasureHistogram } from "./shapes.ts";
import { type Draw, nameScale, openPlots } from "./svg.ts";

/** SVG text of every plot, by its place in the page; a plot of nothing is empty. */
export interface ReportPlots {
  readonly mixture: string;
  readonly funnel: string;
  readonly licences: string;
  readonly languages: string;
  readonly lengths: string;
  readonly clusters: string;
  readonly coverage: string;
  /** By `kind measure`. */
  readonly measures: ReadonlyMap<string, string>;
}

const width = 720;
const marginLeft = 230;
const rowHeight = 24;
const shownRows = 16;
const label = (text: string) => shorten(printable(text), 36);

interface Row {
  readonly name: string;
  readonly value: number;
  readonly note: string;
  readonly muted?: boolean;
}

type Plots = Awaited<ReturnType<typeof openPlots>>;

/** Draws them all. */
export async function drawReport(report: CorpusReport): Promise<ReportPlots> {
  const plots = await openPlots();
  return {
    mixture: mixturePlot(plots, report),
    funnel: funnelPlot(plots, report),
    licences: groupsPlot(plots, "Licences of what was kept", report.byLicence, report.kept.bytes),
    languages: groupsPlot(plots, "Languages of what was kept", report.byLanguage, report.kept.bytes),
    lengths: lengthsPlot(plots, report.lengths),
    clusters: clustersPlot(plots, report),
    coverage: report.coverage.length === 0 ? "" : coveragePlot(plots, report.coverage),
    measures: new Map(report.histograms.map((one) => [`${one.kind} ${one.measure}`, measurePlot(plots, one)] as const)),
  };
}

/** Horizontal bars, a row each, with its figures at the end. */
function bars({ plot, draw }: Plots, title: string, axis: string, rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const data = rows.map((row, at) => ({ ...row, at }));
  const description = rows.map(({ name, note }) => `${printable(name)}: ${note}`).join("; ");
  const longest = Math.max(...rows.map(({ note }) => note.length));
  return draw(
    { title, description },
    {
      ...{ width, marginLeft, marginRight: Math.max(150, 15 + 6 * longest), height: rows.length * rowHeight + 50 },
      x: { label: axis, grid: true, tickFormat: axis.startsWith("Share") ? "%" : "~s" },
      y: nameScale(rows.map(({ name }) => label(name))),
      marks: [
        plot.barX(data, { y: "at", x: "value", fill: (row: Row) => (row.muted ? "var(--soft)" : "var(--green)") }),
        plot.text(data, { y: "at", x: "value", text: "note", textAnchor: "start", dx: 5 }),
        plot.ruleX([0]),
      ],
    },
  );
}

function mixturePlot(plots: Plots, { mixture: { plan, groups }, splits }: CorpusReport): string {
  if (plan !== null) {
    const rows = plan.groups.slice(0, shownRows).map(
      ({ name, share, wantedShare, epochs, tokens, capped }): Row => ({
        name,
        value: share,
        note: `${formatCount(tokens)} tokens, ${epochs.toFixed(2)} epochs${capped ? ", capped" : ""}, wanted ${formatShare(wantedShare, 1)}`,
      }),
    );
    return bars(plots, "Mixture of the training tokens by group", "Share of tokens →", rows);
  }
  const whole = splits.find(({ name }) => name === "train")?.bytes ?? 0;
  const rows = groups.slice(0, shownRows).map(
    ({ source, kind, bytes }): Row => ({
      name: `${source} (${kind})`,
      value: bytes,
      note: `${formatBytes(bytes)}, ${formatShare(bytes, whole)}`,
    }),
  );
  return bars(plots, "What trains, by source and kind: the largest groups", "Bytes →", rows);
}

function funnelPlot(plots: Plots, { funnel, total }: CorpusReport): string {
  const left = ({ documentsLeft, bytesLeft }: Pick<FunnelStage, "documentsLeft" | "bytesLeft">) =>
    `${formatCount(documentsLeft)} (${formatBytes(bytesLeft)})`;
  const rows: Row[] = [
    {
      name: "listed",
      value: total.documents,
      note: left({ documentsLeft: total.documents, bytesLeft: total.bytes }),
      muted: true,
    },
    ...funnel.map((one) => ({ name: `after ${one.stage}`, value: one.documentsLeft, note: left(one) })),
  ];
  return bars(plots, "Funnel: documents left after each stage", "Documents →", rows);
}

function groupsPlot(plots: Plots, title: string, groups: readonly Group[], whole: number): string {
  const rows = groups
    .filter(({ keptDocuments }) => keptDocuments > 0)
    .sort((a, b) => b.keptBytes - a.keptBytes)
    .slice(0, shownRows)
    .map(
      ({ name, keptBytes }): Row => ({
        name,
        value: whole === 0 ? 0 : keptBytes / whole,
        note: `${formatShare(keptBytes, whole)}, ${formatBytes(keptBytes)}`,
      }),
    );
  return bars(plots, title, "Share of kept bytes →", rows);
}

function clustersPlot(plots: Plots, { clusterSizes }: CorpusReport): string {
  const rows = clusterSizes.map(
    ({ from, to, clusters, documents }): Row => ({
      name: `${formatCount(from)}–${formatCount(to)} members`,
      value: documents,
      note: `${formatCount(documents)} in ${formatCount(clusters)} clusters`,
    }),
  );
  return bars(plots, "Documents in clusters of duplicates, by the cluster's size", "Documents →", rows);
}

function lengthsPlot({ plot, draw }: Plots, lengths: readonly LengthClass[]): string {
  if (lengths.length === 0) return "";
  const data = lengths.flatMap(({ from, to, kept, rejected }) => [
    { from, to, documents: kept, fill: "var(--green)" },
    { from, to, documents: rejected, fill: "var(--soft)" },
  ]);
  const description = lengths
    .map(
      ({ from, to, kept, rejected }) =>
        `${formatBytes(from)} to ${formatBytes(to)}: ${kept} kept, ${rejected} rejected`,
    )
    .join("; ");
  return draw(
    { title: "Documents by length: kept (green) and rejected (grey)", description },
    {
      ...{ width, height: 240, marginLeft: 60, marginBottom: 40 },
      x: { type: "log", base: 2, label: "Bytes of text →", tickFormat: (bytes: number) => formatBytes(bytes) },
      y: { label: "↑ Documents", grid: true },
      marks: [
        plot.rectY(data, plot.stackY({ x1: "from", x2: "to", y: "documents", fill: "fill", insetRight: 1 })),
        plot.ruleY([0]),
      ],
    },
  );
}

/** A small histogram; the measure's name and threshold stand beside it in the table. */
function measurePlot({ plot, draw }: Plots, { kind, measure, from, to, counts }: MeasureHistogram): string {
  // Where all documents have one value, there is one bar, and nothing to measure its width by.
  const single = from === to;
  const classWidth = single ? 1 : (to - from) / counts.length;
  const data = counts.map((documents, at) => ({
    from: from + at * classWidth,
    to: from + (at + 1) * classWidth,
    documents,
  }));
  return draw(
    {
      title: `${kind} ${measure}`,
      description: `from ${formatValue(from)} to ${formatValue(to)}, documents in ${counts.length} equal classes: ${counts.join(" ")}`,
    },
    {
      ...{ width: 180, height: 56, margin: 2, marginBottom: 16, marginLeft: 14, marginRight: 14 },
      x: { label: null, ticks: single ? [from] : 2, tickFormat: (value: number) => formatValue(value) },
      y: { axis: null },
      marks: [plot.rectY(data, { x1: "from", x2: "to", y: "documents", fill: "var(--green)" }), plot.ruleY([0])],
    },
  );
}

function coveragePlot({ plot, draw }: { plot: Plots["plot"]; draw: Draw }, tasks: readonly TaskCoverage[]): string {
  const data = tasks.flatMap(({ name, grams }, at) =>
    grams.flatMap(({ n, ofItem }) =>
      ofItem === null
        ? []
        : [{ n, share: ofItem.value, low: ofItem.interval[0], high: ofItem.interval[1], task: at, name: label(name) }],
    ),
  );
  const names = tasks.map(({ name }, task) => ({ task, name: label(name), n: longestGram, place: 1 - 0.09 * task }));
  const description = tasks
    .map(
      ({ name, grams }) =>
        `${printable(name)}: ${grams.flatMap(({ n, ofItem }) => (ofItem === null ? [] : [`${n} words ${formatShare(ofItem.value, 1)}`])).join(", ")}`,
    )
    .join("; ");
  const stroke = ({ task }: { task: number }) => `var(--series-${(task % 4) + 1})`;
  return draw(
    { title: "Evaluation coverage: mean share of an item's n-grams that training documents hold", description },
    {
      ...{ width, height: 280, marginLeft: 50, marginRight: 190 },
      x: { label: "Words of the n-gram →", ticks: longestGram },
      y: { label: "↑ Share covered", domain: [0, 1], grid: true, tickFormat: "%" },
      marks: [
        plot.areaY(data, { x: "n", y1: "low", y2: "high", z: "task", fill: stroke, fillOpacity: 0.2 }),
        plot.lineY(data, { x: "n", y: "share", z: "task", stroke }),
        plot.dot(data, { x: "n", y: "share", fill: stroke, r: 2 }),
        plot.text(names, { x: "n", y: "place", text: "name", textAnchor: "start", dx: 12, fill: stroke }),
      ],
    },
  );
}
