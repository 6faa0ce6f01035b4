/** Plots as SVG text: Observable Plot on a document without a browser. What is drawn is Plot's own options and marks. */
import type * as ObservablePlot from "@observablehq/plot";

/** The library, which is loaded when something is drawn. */
export type Plot = typeof ObservablePlot;

/** What Plot.plot takes; the document is ours, and so is the form: a single SVG, without titles in HTML around it. */
export type PlotOptions = Omit<
  ObservablePlot.PlotOptions,
  "document" | "figure" | "title" | "subtitle" | "caption" | "style"
>;

type PlotDocument = NonNullable<ObservablePlot.PlotOptions["document"]>;

const style = { background: "white", color: "#222", fontFamily: "system-ui, sans-serif", fontSize: "12px" };

/** The library and a document for what it draws. */
export async function openPlotLibrary() {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  return { plot, document: document as unknown as PlotDocument };
}

/**
 * One SVG element as text, complete as a file of its own and inside a page. `describe` gets the library for its marks.
 * @param label what it shows, for readers who do not see it
 */
export async function plotSvg(label: string, describe: (plot: Plot) => PlotOptions): Promise<string> {
  const { plot, document } = await openPlotLibrary();
  const svg = plot.plot({ ...describe(plot), style, document });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  removePartLabels(svg);
  return `${svg.outerHTML}\n`;
}

/** Takes the names of a picture's parts out ("bar", "rule"): to whom the whole is described they say nothing. */
export function removePartLabels(svg: { querySelectorAll(selector: string): Iterable<unknown> }): void {
  for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
    const element = part as { removeAttribute(name: string): void };
    element.removeAttribute("aria-label");
    element.removeAttribute("aria-description");
  }
}
