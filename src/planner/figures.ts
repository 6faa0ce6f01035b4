/** Costs, times, memory and quality of one way, from needs and catalogue alone. */
import { effectiveTokens, lossOf, optimumForLimitedData } from "../scaling/index.ts";
import type { Catalogue, Device } from "./catalogue.ts";
import type { Needs } from "./needs.ts";

/** Constants of Besiroglu et al. 2024: nats a token of web text; comparisons between ways, not promises. */
export const law = {
  form: "chinchilla" as const,
  constants: { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 },
};

/** Epochs over domain text beyond which repetition teaches little (Muennighoff et al. 2023). */
export const epochs = 4;

/** bf16 weights and gradients, f32 master weights and two moments: 2 + 2 + 4 + 4 + 4 bytes a parameter, and activations. */
const trainingBytesPerParameter = 18;
const servingBytesPerParameter = 2.4; // bf16 weights, and a fifth for the cache

/** A device's share of a day in which it answers. */
const servingShare = 0.5;

/** Training on a device: how many are used, hours of each, what it costs. */
export interface TrainingFigures {
  readonly flops: number;
  readonly devices: number;
  readonly weeks: number;
  readonly cost: number;
  readonly memoryBytes: number;
}

/** As many devices as memory and the weeks at hand ask for. */
export function trainingFigures(parameters: number, tokens: number, weeks: number, device: Device): TrainingFigures {
  const flops = 6 * parameters * tokens;
  const hours = flops / (device.peakFlops * device.utilisation) / 3600;
  const memoryBytes = trainingBytesPerParameter * parameters;
  const devices = Math.max(1, Math.ceil(hours / (weeks * 168)), Math.ceil(memoryBytes / device.memoryBytes));
  return { flops, devices, weeks: hours / devices / 168, cost: hours * device.pricePerHour, memoryBytes };
}

/** Answering on one's own devices, which are paid all the time. */
export interface ServingFigures {
  readonly devices: number;
  readonly latencySeconds: number;
  readonly cost: number;
  readonly memoryBytes: number;
}

/** Prompts are bound by FLOPs, every written token by reading all weights once. */
export function servingFigures(parameters: number, needs: Needs, device: Device): ServingFigures {
  const memoryBytes = servingBytesPerParameter * parameters;
  const share = Math.ceil(memoryBytes / device.memoryBytes);
  const prompt = (2 * parameters * needs.inputTokens) / (device.peakFlops * device.utilisation * share);
  const writing = (needs.outputTokens * 2 * parameters) / (device.memoryBytesPerSecond * share);
  const latencySeconds = prompt + writing;
  const busy = (needs.requestsPerDay * latencySeconds) / 86_400 / servingShare;
  const devices = share * Math.max(1, Math.ceil(busy));
  return { devices, latencySeconds, cost: devices * device.pricePerHour * 730 * needs.months, memoryBytes };
}

/** Asking a hosted model for all requests of all months. */
export function hostedFigures(
  needs: Needs,
  model: Catalogue["hostedModels"][number],
): Omit<ServingFigures, "devices" | "memoryBytes"> {
  const { inputTokens, outputTokens, requestsPerDay, months } = needs;
  const each =
    (inputTokens * model.pricePerMillionInputTokens + outputTokens * model.pricePerMillionOutputTokens) / 1e6;
  return {
    latencySeconds: model.firstTokenSeconds + outputTokens / model.outputTokensPerSecond,
    cost: each * requestsPerDay * (365 / 12) * months,
  };
}

/**
 * Loss on domain text of a model that was trained on other text too, in nats a token. What other text is worth is Hernandez et al.
 * 2021's effective data transferred, 1.9·10⁴ · D^0.18 · N^0.38 for D tokens of the domain: more for large models, and less
 * beside much domain text. They fitted it to models of up to 10⁹ parameters: larger ones count as that large.
 */
export function lossWithTransfer(parameters: number, domainTokens: number): number {
  const transferred = 1.9e4 * domainTokens ** 0.18 * Math.min(parameters, 1e9) ** 0.38;
  return lossOf(law, parameters, domainTokens + transferred);
}

/** Tokens that `count` unique ones are worth over the planner's epochs. */
export function worthOf(count: number): number {
  return effectiveTokens(epochs * count, count);
}

type ScratchModel = ReturnType<typeof optimumForLimitedData>;
let lastScratch: { readonly domainTokens: number; readonly flops: number; readonly model: ScratchModel } | undefined;

/** The best model from scratch on nothing but the domain's text, for at most `flops`: no more than its text supports. */
export function scratchModel(domainTokens: number, flops: number): ScratchModel {
  // Sensitivity asks for the same model over and over while it varies other needs.
  if (lastScratch?.domainTokens !== domainTokens || lastScratch.flops !== flops) {
    lastScratch = { domainTokens, flops, model: findScratchModel(domainTokens, flops) };
  }
  return lastScratch.model;
}

function findScratchModel(domainTokens: number, flops: number): ScratchModel {
  const best = optimumForLimitedData(law, flops, domainTokens);
  if (best.epochs <= epochs) return best;
  // More compute than the text is worth: as much as its epochs, at the size that is best for them.
  let [low, high] = [Math.log(6e6), Math.log(flops)];
  while (high - low > 1e-3) {
    const middle = (low + high) / 2;
    if (optimumForLimitedData(law, Math.exp(middle), domainTokens).epochs > epochs) high = middle;
    else low = middle;
  }
  return optimumForLimitedData(law, Math.exp(low), domainTokens);
}
