/** Curves of one run or several: loss, learning rate, gradient norm, speed, share of peak, memory. */
import type { GroupName } from "../../protocol.ts";
import { Chart, type DrawnCurve } from "../chart.ts";
import { Smoothed } from "../curves.ts";
import { element, fill, select, table } from "../dom.ts";
import { figure, words } from "../figures.ts";
import type { RunData } from "../run-data.ts";
import { colourOf, type State } from "../state.ts";
import type { OpenView, View } from "../view.ts";

/** One chart: the figures in it, the first of which is smoothed. */
interface ChartDefinition {
  readonly title: string;
  readonly figures: readonly { readonly group: GroupName; readonly name: string; readonly label: string }[];
  readonly smooth?: boolean;
  /** Whether a log axis may be chosen for it. */
  readonly mayLog?: boolean;
}

const first: readonly ChartDefinition[] = [
  {
    ...{ title: "Loss, nats a token", smooth: true, mayLog: true },
    figures: [
      { group: "step", name: "train/loss", label: "training" },
      { group: "validation", name: "validation/loss", label: "validation" },
      { group: "validation", name: "validation/averaged_loss", label: "validation, averaged weights" },
    ],
  },
  { title: "Learning rate", figures: [{ group: "step", name: "train/learning_rate", label: "" }] },
  {
    ...{ title: "Gradient norm", smooth: true, mayLog: true },
    figures: [{ group: "step", name: "train/gradient_norm", label: "" }],
  },
  {
    ...{ title: "Tokens a second", smooth: true },
    figures: [{ group: "step", name: "throughput/tokens_per_second", label: "" }],
  },
  {
    ...{ title: "MFU: share of the measured peak", smooth: true },
    figures: [{ group: "step", name: "throughput/mfu", label: "" }],
  },
  { title: "Memory, bytes resident", figures: [{ group: "step", name: "memory/resident_bytes", label: "" }] },
];

/** Figures that have a chart of their own above, or none. */
const placed = new Set(first.flatMap(({ figures }) => figures.map(({ name }) => name)));

export const training: View = {
  name: "training",
  title: "Training",
  runs: "several",
  open: (state, redraw) => new TrainingView(state, redraw),
};

class TrainingView implements OpenView {
  readonly node: HTMLElement;
  private readonly charts = new Map<string, Chart>();
  private readonly grid = element("div", { class: "charts" });
  private readonly summary = element("div", {});
  private range: { min: number; max: number } | undefined;
  private readonly smoothed = new Map<string, { readonly generation: number; readonly smoothed: Smoothed }>();

  constructor(
    private readonly state: State,
    private readonly redraw: () => void,
  ) {
    const { choices } = state;
    const slider = element("input", {
      ...{ type: "range", min: 0, max: 0.999, step: 0.001, value: choices.smoothing, id: "smoothing" },
      oninput: () => {
        state.choose({ smoothing: Number(slider.value) });
        shown.value = slider.value;
        this.redraw();
      },
    });
    const shown = element("output", { for: "smoothing" }, String(choices.smoothing));
    const tick = (label: string, name: "logX" | "logY") => {
      const box = element("input", {
        ...{ type: "checkbox", checked: choices[name] },
        onchange: () => {
          state.choose({ [name]: box.checked });
          this.redraw();
        },
      });
      return element("label", {}, box, ` ${label}`);
    };
    this.node = element(
      "div",
      {},
      element("h1", {}, "Training"),
      this.summary,
      element(
        "form",
        { class: "controls", "aria-label": "How the curves are drawn", onsubmit: (event) => event.preventDefault() },
        element("label", {}, "Smoothing ", slider, " ", shown),
        select(
          "Over",
          [
            ["step", "steps"],
            ["tokens", "tokens"],
          ],
          choices.axis,
          (axis) => {
            this.range = undefined;
            state.choose({ axis: axis === "tokens" ? "tokens" : "step" });
            this.redraw();
          },
        ),
        tick("log x", "logX"),
        tick("log y", "logY"),
        element("button", { type: "button", onclick: () => this.zoom(undefined) }, "Show all"),
      ),
      element(
        "p",
        { class: "hint", id: "chart-keys" },
        "Drag to zoom, double-click to show all. On the keyboard, with a chart in focus: arrows move, + and − zoom, shift and arrows pan, 0 shows all.",
      ),
      this.grid,
    );
  }

  async refresh(): Promise<void> {
    const { state } = this;
    const runs = state.chosen.map((id) => state.runData(id));
    const results = await Promise.allSettled(runs.map((run) => run.update()));
    const failed = results.find((one) => one.status === "rejected");
    fill(this.summary, failed && element("p", { class: "error" }, String(failed.reason.message)), this.summaryOf(runs));
    const axes = {
      xLabel: state.choices.axis === "tokens" ? "tokens" : "step",
      logX: state.choices.logX,
    };
    for (const definition of [...first, ...othersOf(runs)]) {
      const chart = this.chartOf(definition.title);
      chart.show(this.curvesOf(definition, runs), { ...axes, logY: state.choices.logY && definition.mayLog === true });
    }
  }

  private chartOf(title: string): Chart {
    let chart = this.charts.get(title);
    if (chart === undefined) {
      chart = new Chart(title, { range: () => this.range, zoom: (range) => this.zoom(range) });
      this.charts.set(title, chart);
      this.grid.append(chart.node);
    }
    return chart;
  }

  private zoom(range: { min: number; max: number } | undefined): void {
    this.range = range;
    this.redraw();
  }

  private curvesOf({ figures, smooth = false }: ChartDefinition, runs: readonly RunData[]): DrawnCurve[] {
    const { axis, smoothing } = this.state.choices;
    const several = runs.length > 1;
    return runs.flatMap((run, index) =>
      figures.flatMap(({ group, name, label }): DrawnCurve[] => {
        const curve = run.groups[group].curve(name, axis);
        if (curve === undefined || curve.rows === 0) return [];
        const whose = several ? this.state.nameOf(run.id) : "";
        const drawn = {
          ...curve,
          colour: colourOf(index),
          label: [whose, label].filter((part) => part !== "").join(" ") || "value",
          ...(group === "step" ? {} : { marked: true, dashed: true }),
        };
        if (!smooth || smoothing === 0 || group !== "step") return [drawn];
        return [
          { ...drawn, faint: true },
          { ...drawn, y: this.smoothedOf(run, name, smoothing).of(curve) },
        ];
      }),
    );
  }

  private smoothedOf(run: RunData, name: string, factor: number): Smoothed {
    const key = `${run.id} ${name} ${factor}`;
    let known = this.smoothed.get(key);
    if (known === undefined || known.generation !== run.generation) {
      for (const old of this.smoothed.keys()) if (old.startsWith(`${run.id} ${name} `)) this.smoothed.delete(old);
      known = { generation: run.generation, smoothed: new Smoothed(factor) };
      this.smoothed.set(key, known);
    }
    return known.smoothed;
  }

  private summaryOf(runs: readonly RunData[]): HTMLElement {
    const rows = runs.map((run) => {
      const summary = this.state.overview.runs.find(({ id }) => id === run.id);
      const last = (group: GroupName, name: string) => {
        const curve = run.groups[group].curve(name, "step");
        if (curve === undefined) return Number.NaN;
        let row = curve.rows - 1;
        while (row > 0 && Number.isNaN(curve.y[row])) row--;
        return curve.y[row];
      };
      const steps = run.groups.step.curve("train/loss", "step");
      const step = steps === undefined || steps.rows === 0 ? 0 : steps.x[steps.rows - 1];
      const rate = last("step", "throughput/tokens_per_second");
      return [
        this.state.nameOf(run.id),
        [summary?.objective, summary?.architecture].filter(Boolean).join(", ") || "–",
        summary?.steps ? `${step} of ${summary.steps}` : String(step),
        summary?.live ? "training" : "ended",
        figure(last("step", "train/loss")),
        figure(last("validation", "validation/loss")),
        figure(rate),
      ];
    });
    return table("Runs shown", ["run", "objective, model", "step", "state", "loss", "validation", "tokens/s"], rows);
  }
}

/** A chart for every other figure that a log holds. */
function othersOf(runs: readonly RunData[]): ChartDefinition[] {
  const names = new Map<string, GroupName>();
  for (const run of runs) {
    for (const group of ["step", "validation", "checkpoint"] as const) {
      for (const name of run.groups[group].names) if (!placed.has(name)) names.set(name, group);
    }
  }
  return [...names].sort().map(([name, group]) => ({
    title: titleOf(name),
    figures: [{ group, name, label: "" }],
    smooth: group === "step",
  }));
}

function titleOf(name: string): string {
  const [room, what] = name.split("/");
  const title = words(room === "throughput" || room === "train" ? what : name);
  return title[0].toUpperCase() + title.slice(1);
}
