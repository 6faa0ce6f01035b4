/** One chart: curves over a shared window, with mouse, keyboard and a table for those who see no picture. */
import uPlot from "uplot";
import { align, type Curve, extentOf, type Range } from "./curves.ts";
import { element, fill, table } from "./dom.ts";
import { figure } from "./figures.ts";

/** A curve as it is drawn. */
export interface DrawnCurve extends Curve {
  readonly label: string;
  readonly colour: string;
  readonly faint?: boolean;
  readonly dashed?: boolean;
  /** Few points that are marked each. */
  readonly marked?: boolean;
}

/** What all charts of a view share. */
export interface ChartAxes {
  readonly xLabel: string;
  readonly logX: boolean;
  readonly logY: boolean;
}

/** What the chart asks of its view. */
export interface ChartActions {
  /** The window that is shown; undefined for all. */
  range(): Range | undefined;
  zoom(range: Range | undefined): void;
}

const height = 220;
const cursorSync = uPlot.sync("charts");

/** A chart with its heading. */
export class Chart {
  readonly node: HTMLElement;
  private readonly figure: HTMLElement;
  private readonly readout: HTMLElement;
  private readonly spoken: HTMLElement;
  private readonly numbers: HTMLDetailsElement;
  private plot: uPlot | undefined;
  private shape = "";
  private curves: readonly DrawnCurve[] = [];
  private axes: ChartAxes = { xLabel: "step", logX: false, logY: false };

  constructor(
    readonly title: string,
    private readonly actions: ChartActions,
  ) {
    this.readout = element("p", { class: "readout" });
    this.spoken = element("p", { class: "unseen", "aria-live": "polite" });
    this.figure = element("div", {
      ...{ class: "plot", tabindex: 0, role: "img" },
      "aria-describedby": "chart-keys",
      onkeydown: (event) => this.press(event as KeyboardEvent),
      ondblclick: () => this.actions.zoom(undefined),
    });
    this.numbers = element("details", { ontoggle: () => this.fillNumbers() }, element("summary", {}, "Numbers"));
    this.node = element(
      "section",
      { class: "chart" },
      element("h2", {}, title),
      this.readout,
      this.figure,
      this.spoken,
      this.numbers,
    );
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  /** Shows curves; draws anew only what changed. */
  show(curves: readonly DrawnCurve[], axes: ChartAxes): void {
    this.curves = curves;
    this.axes = axes;
    this.node.hidden = curves.length === 0;
    this.draw();
    this.figure.setAttribute("aria-label", this.describe());
    if (this.numbers.open) this.fillNumbers();
  }

  private draw(): void {
    const width = this.figure.clientWidth;
    const extent = extentOf(this.curves, this.axes.logX);
    if (width === 0 || extent === undefined || this.node.hidden) return;
    const range = this.actions.range() ?? extent;
    const data = align(this.curves, range, width, this.axes) as uPlot.AlignedData;
    const { color: colour } = getComputedStyle(document.body);
    const shape = JSON.stringify([
      this.axes,
      colour,
      this.curves.map((one) => [one.label, one.colour, one.faint, one.dashed, one.marked]),
    ]);
    if (this.plot === undefined || shape !== this.shape) {
      this.plot?.destroy();
      this.shape = shape;
      this.plot = new uPlot(this.options(width), data, this.figure);
    } else {
      if (this.plot.width !== width) this.plot.setSize({ width, height });
      this.plot.setData(data, false);
    }
    const only = range.min === range.max ? { min: range.min - 1, max: range.max + 1 } : range;
    this.plot.batch(() => {
      this.plot!.setScale("x", only);
      const values = data
        .slice(1)
        .flat()
        .filter((one): one is number => typeof one === "number");
      this.plot!.setScale("y", verticalRange(values, this.axes.logY));
    });
  }

  private options(width: number): uPlot.Options {
    const { color: ink } = getComputedStyle(document.body);
    const { borderTopColor: line } = getComputedStyle(this.node);
    const axis: uPlot.Axis = {
      stroke: ink,
      font: "12px system-ui, sans-serif",
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1 },
      values: (_, marks) => marks.map((mark) => (mark === null ? "" : figure(mark))),
    };
    const { logX, logY } = this.axes;
    return {
      ...{ width, height, legend: { show: false }, padding: [8, 26, 0, 0] },
      cursor: {
        sync: { key: cursorSync.key },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => null },
        points: { size: 6 },
      },
      scales: {
        x: { time: false, auto: false, distr: logX ? 3 : 1, range: (_, min, max) => [min, max] },
        y: { auto: false, distr: logY ? 3 : 1, range: (_, min, max) => [min, max] },
      },
      axes: [
        { ...axis, size: 34 },
        { ...axis, size: 62 },
      ],
      series: [
        {},
        ...this.curves.map(({ label, colour, faint, dashed, marked }) => ({
          ...{ label, stroke: colour, spanGaps: true, width: faint ? 1 : 1.6, alpha: faint ? 0.3 : 1 },
          ...(dashed ? { dash: [6, 4] } : {}),
          points: marked ? { show: true, size: 5, fill: colour } : { show: false },
        })),
      ],
      hooks: {
        setCursor: [(plot) => this.readAt(plot)],
        setSelect: [
          (plot) => {
            const { left, width: selected } = plot.select;
            if (selected < 3) return;
            const range = { min: plot.posToVal(left, "x"), max: plot.posToVal(left + selected, "x") };
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            this.actions.zoom(range);
          },
        ],
      },
    };
  }

  /** The values under the cursor, each curve's nearest before it. */
  private readAt(plot: uPlot): void {
    const { idx } = plot.cursor;
    const parts = idx === null || idx === undefined ? [] : this.valuesAt(plot, idx);
    fill(this.readout, ...parts.map(({ text, colour }) => element("span", {}, dot(colour), text)));
  }

  private valuesAt(plot: uPlot, index: number): { readonly text: string; readonly colour: string }[] {
    const x = plot.data[0][index];
    return [
      { text: `${this.axes.xLabel} ${figure(Math.round(x))}`, colour: "" },
      ...this.curves.flatMap(({ label, colour, faint }, curve) => {
        if (faint) return [];
        const column = plot.data[curve + 1];
        let at = index;
        while (at > 0 && (column[at] === null || column[at] === undefined)) at--;
        return [{ text: `${label} ${figure(column[at] ?? null)}`, colour }];
      }),
    ];
  }

  /** Arrows move the cursor, + and - zoom around it, shift and arrows pan, 0 shows all. */
  private press(event: KeyboardEvent): void {
    const { plot } = this;
    if (plot === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const { min = 0, max = 1 } = plot.scales.x;
    const points = plot.data[0];
    const index = plot.cursor.idx ?? Math.floor(points.length / 2);
    const width = max - min;
    const centre = points[index] ?? min + width / 2;
    const step = event.key === "ArrowLeft" ? -1 : 1;
    switch (event.key) {
      case "ArrowLeft":
      case "ArrowRight":
        if (event.shiftKey) this.actions.zoom({ min: min + (step * width) / 4, max: max + (step * width) / 4 });
        else
          this.moveTo(
            plot,
            Math.min(points.length - 1, Math.max(0, index + step * Math.max(1, Math.floor(points.length / 100)))),
          );
        break;
      case "Home":
        this.moveTo(plot, 0);
        break;
      case "End":
        this.moveTo(plot, points.length - 1);
        break;
      case "+":
      case "=":
        this.actions.zoom({ min: centre - width / 4, max: centre + width / 4 });
        break;
      case "-":
        this.actions.zoom({ min: centre - width, max: centre + width });
        break;
      case "0":
      case "Escape":
        this.actions.zoom(undefined);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  private moveTo(plot: uPlot, index: number): void {
    plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: height / 3 });
    const texts = this.valuesAt(plot, index).map(({ text }) => text);
    fill(this.spoken, texts.join(", "));
  }

  private describe(): string {
    const parts = this.curves
      .filter(({ faint }) => !faint)
      .map(({ label, y, rows, x }) => {
        let last = rows - 1;
        while (last > 0 && Number.isNaN(y[last])) last--;
        return `${label}: ${figure(y[0])} at first, ${figure(y[last])} at ${this.axes.xLabel} ${figure(x[last])}`;
      });
    return `${this.title}. ${parts.join("; ")}`;
  }

  private fillNumbers(): void {
    const [summary] = this.numbers.children;
    const shown = this.numbers.open ? this.curves.filter(({ faint }) => !faint) : [];
    const places = 24;
    const tables = shown.map(({ label, x, y, rows }) => {
      const count = Math.min(rows, places);
      const picked = Array.from({ length: count }, (_, index) =>
        count === 1 ? 0 : Math.round((index * (rows - 1)) / (count - 1)),
      );
      return table(
        label,
        [this.axes.xLabel, this.title],
        picked.map((row) => [figure(x[row]), figure(y[row])]),
      );
    });
    fill(this.numbers, summary, ...tables);
  }
}

function verticalRange(values: readonly number[], log: boolean): Range {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) return log ? { min: 0.1, max: 1 } : { min: 0, max: 1 };
  if (log) return { min: min / 1.05, max: max * 1.05 };
  const margin = (max - min || Math.abs(max) || 1) * 0.05;
  return { min: min - margin, max: max + margin };
}

/** A colour beside its name. */
export function dot(colour: string): HTMLElement | null {
  if (colour === "") return null;
  const made = element("i", { class: "dot", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}
