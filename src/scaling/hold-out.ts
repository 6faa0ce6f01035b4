/** Does the law hold? Fitted without the largest models, it is asked for their losses. */
import { TilthError } from "../foundation/index.ts";
import { type FitOptions, type FittedLaw, fitLaw } from "./fit.ts";
import { forecast } from "./forecast.ts";
import type { ScalingPoint } from "./points.ts";

/** A model that the law did not see. `error` = forecast / measured − 1. */
export interface HeldOutPoint extends ScalingPoint {
  readonly forecast: number;
  readonly interval: readonly [number, number];
  readonly error: number;
}

/** The law without the largest size, and what it says of the models of that size. */
export interface HoldOut {
  readonly law: FittedLaw;
  readonly held: readonly HeldOutPoint[];
}

/** Throws TilthError where the rest is too little for a fit. */
export function holdOutLargest(points: readonly ScalingPoint[], options: FitOptions = {}): HoldOut {
  const largest = Math.max(...points.map(({ parameters }) => parameters));
  const smaller = points.filter(({ parameters }) => parameters < largest);
  if (smaller.length === 0) throw new TilthError("all models have the same size: none can be held out");
  const law = fitLaw(smaller, options);
  const held = points
    .filter(({ parameters }) => parameters === largest)
    .map((point) => {
      const { loss, interval } = forecast(law, point.parameters, point.tokens, { force: true });
      return { ...point, forecast: loss, interval, error: loss / point.loss - 1 };
    });
  return { law, held };
}
