import { UsageError, writeFileAtomically } from "../../foundation/index.ts";
import {
  type FitOptions,
  type FittedLaw,
  fitLaw,
  formNames,
  type HeldOutPoint,
  holdOutLargest,
  type IsoFlopFit,
  isoFlopProfiles,
  lawPlot,
  optimumForCompute,
  readPoints,
  writeLaw,
} from "../../scaling/index.ts";
import type { Command } from "../command.ts";
import { requireReplaceable } from "../questions.ts";
import { formatCount, progressLine } from "../terminal.ts";

/** `tilth scale fit` */
export const fit: Command = {
  summary: "fit a scaling law to a table of trained models",
  usage: "<csv> --parameters <column> (--tokens <column> | --flops <column>) --loss <column> [options]",
  options: {
    parameters: { describe: "column of the models' sizes", placeholder: "column", initial: "parameters" },
    tokens: { describe: "column of training tokens", placeholder: "column" },
    flops: { describe: "column of training FLOPs, instead of tokens", placeholder: "column" },
    loss: { describe: "column of held-out losses, nats a token", placeholder: "column", initial: "loss" },
    form: { describe: `the law: ${formNames.join(" or ")}`, placeholder: "name", initial: "chinchilla" },
    bootstrap: { describe: "resamples for the intervals", placeholder: "count", initial: "400" },
    delta: { describe: "Huber loss on log loss: where squares end", placeholder: "number", initial: "0.001" },
    seed: { describe: "of the resamples", placeholder: "number", initial: "1" },
    out: { describe: "write the law here, for tilth scale forecast", placeholder: "file" },
    replace: { describe: "replace what is at --out" },
    "hold-out": { describe: "fit without the largest models, and compare the law's forecast with them" },
    plot: { describe: "draw the law beside the models: an SVG", placeholder: "file" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth scale fit runs/ladder/ladder.csv --hold-out --plot law.svg",
    "tilth scale fit ladder.csv --parameters parameters --tokens tokens --loss loss --out law.json",
    "tilth scale fit isoflops.csv --flops flops --json",
  ],
  async run(input) {
    const [file] = input.positionals;
    if (file === undefined) throw new UsageError("a CSV file is needed", { remedy: "See: tilth scale fit --help" });
    const points = readPoints(file, {
      parameters: input.text("parameters") ?? "parameters",
      // Where neither is named, the column of a ladder's own table.
      tokens: input.text("tokens") ?? (input.text("flops") === undefined ? "tokens" : undefined),
      flops: input.text("flops"),
      loss: input.text("loss") ?? "loss",
    });
    const [out, plot] = [input.text("out"), input.text("plot")];
    if (out !== undefined) await requireReplaceable(input, out, "a law");
    const progress = progressLine();
    const options: FitOptions = {
      form: input.choice("form", formNames),
      bootstrap: input.number("bootstrap", { minimum: 20, maximum: 100_000, whole: true }),
      huberDelta: input.number("delta", { minimum: 1e-9, maximum: 10 }),
      seed: input.number("seed", { minimum: 0, whole: true }),
      onProgress: (done, total) => progress.update({ stage: "bootstrap", done, total, unit: "resamples" }),
    };
    const { law, held } = input.flag("hold-out")
      ? holdOutLargest(points, options)
      : { law: fitLaw(points, options), held: [] };
    progress.end();
    if (out !== undefined) writeLaw(out, law);
    if (plot !== undefined) {
      const largest = held[0]?.parameters;
      writeFileAtomically(
        plot,
        await lawPlot(
          law,
          points.filter(({ parameters }) => parameters !== largest),
          held,
        ),
      );
    }
    const isoFlop = isoFlopProfiles(points);
    const [, optimalAtFlops] = law.range.flops;
    const { tokensPerParameter: optimalTokensPerParameter } = optimumForCompute(law, optimalAtFlops);
    if (input.flag("json")) {
      const { form, constants, intervals, intervalLevel, points: count, rootMeanSquareError, range } = law;
      const fitted = { form, ...constants, intervals, intervalLevel, optimalTokensPerParameter, optimalAtFlops };
      process.stdout.write(
        `${JSON.stringify({ ...fitted, points: count, rootMeanSquareError, range, isoFlop, held })}\n`,
      );
      return;
    }
    process.stdout.write(describe(law, isoFlop, optimalTokensPerParameter, optimalAtFlops) + describeHeld(held));
    if (out !== undefined) process.stdout.write(`written to ${out}\n`);
  },
};

const formulas = { chinchilla: "L = E + A/N^alpha + B/D^beta", kaplan: "L = ((Nc/N)^(alphaN/alphaD) + Dc/D)^alphaD" };

function describe(law: FittedLaw, isoFlop: IsoFlopFit, tokensPerParameter: number, flops: number): string {
  const level = `${law.intervalLevel * 100} %`;
  const constants = Object.entries(law.constants).map(([name, value]) => {
    const [low, high] = law.intervals[name];
    return `  ${name.padEnd(7)} ${value.toPrecision(5).padStart(12)}   ${low.toPrecision(4)} to ${high.toPrecision(4)}`;
  });
  const profiles = isoFlop.profiles.map(({ flops: budget, points, optimum }) =>
    optimum === undefined
      ? `  ${budget.toExponential(2)} FLOPs: no lowest point within the sizes of its ${points} models`
      : `  ${budget.toExponential(2)} FLOPs: best at ${formatCount(optimum.parameters)} parameters, ${formatCount(optimum.tokens)} tokens, loss ${optimum.loss.toFixed(4)}`,
  );
  return [
    `${formulas[law.form]}   (N parameters, D tokens, L nats a token; ${law.points} models)`,
    "",
    ...constants,
    "",
    `intervals hold all constants at once with ${level} probability; typical error of a model ${(law.medianAbsoluteError * 100).toFixed(2)} %`,
    `best at ${flops.toExponential(2)} FLOPs, the largest budget of the table: ${tokensPerParameter.toFixed(1)} tokens a parameter`,
    ...(profiles.length === 0 ? [] : ["", "Parabolas of equal budget:", ...profiles]),
    ...(isoFlop.parameterExponent === undefined
      ? []
      : [`  best size grows as FLOPs^${isoFlop.parameterExponent.toFixed(3)}`]),
    "",
  ].join("\n");
}

function describeHeld(held: readonly HeldOutPoint[]): string {
  if (held.length === 0) return "";
  const lines = held.map(
    ({ parameters, tokens, loss, forecast, interval: [low, high], error }) =>
      `  ${formatCount(parameters)} parameters, ${formatCount(tokens)} tokens: forecast ${forecast.toFixed(4)} (95 %: ${low.toFixed(4)} to ${high.toFixed(4)}), measured ${loss.toFixed(4)}: ${error > 0 ? "+" : ""}${(100 * error).toFixed(2)} %`,
  );
  return ["", "The largest size was not fitted:", ...lines, ""].join("\n");
}
