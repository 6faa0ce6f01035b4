/** What a law says of a model that was not trained, with an interval, and how far that is from what it was fitted to. */
import { quantile, TilthError } from "../foundation/index.ts";
import { type FittedLaw, lossOf } from "./fit.ts";
import { formNamed } from "./forms.ts";

/** A forecast loss in nats a token. */
export interface Forecast {
  readonly parameters: number;
  readonly tokens: number;
  readonly loss: number;
  /** 95 % of the resampled laws' losses, and the scatter of a single run around the law. */
  readonly interval: readonly [number, number];
  /** How many times the largest budget of the fitted points this one is; 1 within them. */
  readonly extrapolation: number;
  readonly warnings: readonly string[];
}

/** Above these multiples of the largest fitted budget a forecast is given with a warning, or not at all. */
const warnBeyond = 10;
const refuseBeyond = 1000;

/**
 * The loss of a model of that size trained on that many tokens.
 * Throws TilthError where the budget is more than 1000 times what the law was fitted to, unless `force`.
 */
export function forecast(
  law: FittedLaw,
  parameters: number,
  tokens: number,
  options: { force?: boolean } = {},
): Forecast {
  const largest = law.range.flops[1];
  const extrapolation = Math.max(1, (6 * parameters * tokens) / largest);
  const warnings: string[] = [];
  if (extrapolation > refuseBeyond && options.force !== true) {
    throw new TilthError(
      `the forecast is for ${extrapolation.toPrecision(2)} times the largest budget that the law was fitted to (${largest.toExponential(2)} FLOPs); beyond ${refuseBeyond} times it means nothing`,
      { remedy: "Train larger models for the fit, or give --force to see the number all the same." },
    );
  }
  if (extrapolation > warnBeyond) {
    warnings.push(
      `${extrapolation.toPrecision(2)} times the largest fitted budget: laws fitted to small models often bend; the interval does not know that`,
    );
  }
  for (const [name, value] of [
    ["parameters", parameters],
    ["tokens", tokens],
  ] as const) {
    const [low, high] = law.range[name];
    if (value < low / warnBeyond || value > high * warnBeyond) {
      warnings.push(
        `${name} of ${value.toPrecision(3)} are far outside the fitted ${low.toPrecision(3)} to ${high.toPrecision(3)}`,
      );
    }
  }
  const { constantNames, loss } = formNamed(law.form);
  const drawn = law.resamples.map((constants) => loss(constants, parameters, tokens)).filter(Number.isFinite);
  const value = loss(
    constantNames.map((name) => law.constants[name]),
    parameters,
    tokens,
  );
  // 0.6745: the median of |z| of a normal distribution.
  const scatter = 1.96 * (law.medianAbsoluteError / 0.6745);
  const law95 = drawn.length === 0 ? [value, value] : [quantile(drawn, 0.025), quantile(drawn, 0.975)];
  const below = Math.hypot(Math.log(value / Math.min(value, law95[0])), scatter);
  const above = Math.hypot(Math.log(Math.max(value, law95[1]) / value), scatter);
  const interval = [value * Math.exp(-below), value * Math.exp(above)] as const;
  return { parameters, tokens, loss: lossOf(law, parameters, tokens), interval, extrapolation, warnings };
}
