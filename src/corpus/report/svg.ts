/** Plots of the report as SVG text that takes the colours of its page. */
import type { PlotOptions } from "@observablehq/plot";
import { openPlotLibrary, type Plot, removePartLabels } from "../../plots/index.ts";

/** A plot in words: what it is called, and what it shows, for readers who do not see it. */
export interface PlotText {
  readonly title: string;
  readonly description: string;
}

/** Draws one plot. */
export type Draw = (text: PlotText, options: PlotOptions) => string;

/** The library and a function that draws with it; colours are the page's variables, so that dark pages have dark plots. */
export async function openPlots(): Promise<{ plot: Plot; draw: Draw }> {
  const { plot, document } = await openPlotLibrary();
  let drawn = 0;
  const draw: Draw = ({ title, description }, options) => {
    const svg = plot.plot({ document, ...options });
    removePartLabels(svg);
    const id = `plot-${++drawn}`;
    for (const [tag, text] of [
      ["desc", description],
      ["title", title],
    ]) {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      element.setAttribute("id", `${id}-${tag}`);
      element.textContent = text;
      svg.insertBefore(element as never, svg.firstChild);
    }
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-labelledby", `${id}-title ${id}-desc`);
    return svg.outerHTML;
  };
  return { plot, draw };
}

/** A scale of names: equal or shortened names stay apart, because the scale holds their places. */
export function nameScale(names: readonly string[]): NonNullable<PlotOptions["y"]> {
  return { domain: names.map((_, at) => at), tickFormat: (at: number) => names[at], label: null, tickSize: 0 };
}
