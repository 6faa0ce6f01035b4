import { UsageError } from "../../foundation/index.ts";
import {
  type Allocation,
  type FittedLaw,
  type Forecast,
  forecast as forecastLoss,
  optimumForCompute,
  optimumForInference,
  optimumForLimitedData,
  readLaw,
} from "../../scaling/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { formatCount, say } from "../terminal.ts";

/** `tilth scale forecast` */
export const forecast: Command = {
  summary: "loss, best size and tokens that a fitted law forecasts",
  usage: "<law.json> (--flops <number> | --parameters <number> --tokens <number>) [options]",
  options: {
    flops: { describe: "training budget: the best size and tokens for it", placeholder: "number" },
    parameters: { describe: "a size, with --tokens: its loss", placeholder: "number" },
    tokens: { describe: "training tokens", placeholder: "number" },
    "inference-tokens": {
      describe: "tokens the model will serve: the cheapest way, both together, to the budget's loss",
      placeholder: "number",
    },
    "unique-tokens": { describe: "tokens there are: beyond them data repeats", placeholder: "number" },
    force: { describe: "forecast however far from the fitted models" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth scale forecast law.json --flops 1e21",
    "tilth scale forecast law.json --flops 1e21 --inference-tokens 1e12",
    "tilth scale forecast law.json --parameters 1e9 --tokens 20e9",
  ],
  async run(input) {
    const [file] = input.positionals;
    if (file === undefined) {
      throw new UsageError("a fitted law is needed", { remedy: "See: tilth scale forecast --help" });
    }
    const law = readLaw(file);
    const chosen = allocate(law, input);
    const told = forecastLoss(law, chosen.parameters, chosen.tokens, { force: input.flag("force") });
    // Repeated data is worth less than the law's new tokens: its loss replaces the law's, the interval moves with it.
    const shift = chosen.loss / told.loss;
    const [low, high] = told.interval;
    const result = { ...told, ...chosen, interval: [low * shift, high * shift] as const };
    for (const warning of told.warnings) say(`warning: ${warning}`);
    process.stdout.write(input.flag("json") ? `${JSON.stringify(result)}\n` : describe(result));
  },
};

function allocate(law: FittedLaw, input: CommandInput): Allocation & { epochs?: number; inferenceFlops?: number } {
  const positive = (name: string) => input.number(name, { minimum: 1 });
  const [flops, parameters, tokens] = [positive("flops"), positive("parameters"), positive("tokens")];
  const [inferenceTokens, uniqueTokens] = [positive("inference-tokens"), positive("unique-tokens")];
  if (flops === undefined) {
    if (
      parameters === undefined ||
      tokens === undefined ||
      inferenceTokens !== undefined ||
      uniqueTokens !== undefined
    ) {
      throw new UsageError("give --flops, or --parameters with --tokens", {
        remedy: "See: tilth scale forecast --help",
      });
    }
    const { loss } = forecastLoss(law, parameters, tokens, { force: true });
    return {
      parameters,
      tokens,
      tokensPerParameter: tokens / parameters,
      trainingFlops: 6 * parameters * tokens,
      loss,
    };
  }
  if (
    parameters !== undefined ||
    tokens !== undefined ||
    (inferenceTokens !== undefined && uniqueTokens !== undefined)
  ) {
    throw new UsageError("--flops goes with at most one of --inference-tokens and --unique-tokens");
  }
  if (uniqueTokens !== undefined) return optimumForLimitedData(law, flops, uniqueTokens);
  const best = optimumForCompute(law, flops);
  if (inferenceTokens === undefined) return best;
  const cheapest = optimumForInference(law, best.loss, inferenceTokens);
  return { ...cheapest, inferenceFlops: 2 * cheapest.parameters * inferenceTokens };
}

function describe(result: Forecast & Allocation & { epochs?: number; inferenceFlops?: number }): string {
  const { parameters, tokens, tokensPerParameter, trainingFlops, loss, interval, epochs, inferenceFlops } = result;
  return [
    `parameters      ${formatCount(parameters)}`,
    `tokens          ${formatCount(tokens)} (${tokensPerParameter.toFixed(1)} a parameter${epochs === undefined ? "" : `, ${epochs.toFixed(1)} epochs`})`,
    `training        ${trainingFlops.toExponential(3)} FLOPs`,
    ...(inferenceFlops === undefined ? [] : [`inference       ${inferenceFlops.toExponential(3)} FLOPs`]),
    `loss            ${loss.toFixed(4)} nats a token (95 %: ${interval[0].toFixed(4)} to ${interval[1].toFixed(4)})`,
    "",
  ].join("\n");
}
