/** A law beside the models that it was fitted to, as an SVG. */
import { plotSvg } from "../plots/index.ts";
import { type FittedLaw, lossOf } from "./fit.ts";
import type { HeldOutPoint } from "./hold-out.ts";
import type { ScalingPoint } from "./points.ts";

/** Loss over tokens, a colour for each size: models as dots, the law as lines; held-out models with their forecast's interval. */
export function lawPlot(
  law: FittedLaw,
  fitted: readonly ScalingPoint[],
  held: readonly HeldOutPoint[] = [],
): Promise<string> {
  const all = [...fitted, ...held];
  const sizes = [...new Set(all.map(({ parameters }) => parameters))].sort((a, b) => a - b);
  const [low, high] = [Math.min(...all.map(({ tokens }) => tokens)), Math.max(...all.map(({ tokens }) => tokens))];
  const steps = 60;
  const curves = sizes.flatMap((parameters) =>
    Array.from({ length: steps + 1 }, (_, step) => {
      const tokens = low * (high / low) ** (step / steps);
      return { parameters: label(parameters), tokens, loss: lossOf(law, parameters, tokens) };
    }),
  );
  const named = <Point extends ScalingPoint>(points: readonly Point[]) =>
    points.map((point) => ({ ...point, parameters: label(point.parameters) }));
  const ends = sizes.map((parameters) => ({
    parameters: label(parameters),
    tokens: high,
    loss: lossOf(law, parameters, high),
  }));
  const heldOut = named(held).map((one) => ({ ...one, low: one.interval[0], high: one.interval[1] }));
  return plotSvg("Loss over training tokens: models as dots, the fitted law as lines, by size", (plot) => ({
    width: 720,
    height: 440,
    marginRight: 70,
    x: { type: "log", label: "training tokens", tickFormat: "~s" },
    y: { type: "log", label: "loss, nats a token", grid: true, tickFormat: ".2f" },
    color: { type: "ordinal", scheme: "viridis", domain: sizes.map(label) },
    marks: [
      plot.line(curves, { x: "tokens", y: "loss", z: "parameters", stroke: "parameters", strokeWidth: 1.5 }),
      plot.dot(named(fitted), { x: "tokens", y: "loss", fill: "parameters", r: 3.5 }),
      plot.ruleX(heldOut, {
        x: "tokens",
        y1: "low",
        y2: "high",
        stroke: "parameters",
        strokeWidth: 6,
        strokeOpacity: 0.25,
      }),
      plot.dot(heldOut, { x: "tokens", y: "loss", stroke: "parameters", fill: "white", strokeWidth: 2, r: 4.5 }),
      plot.text(ends, { x: "tokens", y: "loss", text: "parameters", fill: "parameters", textAnchor: "start", dx: 8 }),
    ],
  }));
}

function label(parameters: number): string {
  return parameters >= 1e6 ? `${(parameters / 1e6).toPrecision(3)}M` : `${(parameters / 1e3).toPrecision(3)}k`;
}
