/** A step of training a way's model on one device of the catalogue, forecast as `tilth train` does before its first step. */
import { type LlamaConfiguration, llama, llamaConfiguration } from "../models/index.ts";
import { forecastStep, type TrainingConfiguration, trainingConfiguration } from "../training/index.ts";
import type { Catalogue, Device } from "./catalogue.ts";
import type { Needs } from "./needs.ts";
import type { Plan } from "./plan.ts";
import { deviceNamed, type WayName } from "./ways.ts";

/** `memoryBytes` is of one device that holds all; `fits` says whether it can. */
export interface StepEstimate {
  readonly way: WayName;
  readonly model: string;
  readonly device: string;
  /** What `tilth train` would be told. */
  readonly configuration: LlamaConfiguration;
  readonly training: TrainingConfiguration;
  readonly memoryBytes: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  readonly fits: boolean;
}

/** The ways that train a whole model with `tilth train`. */
const trainingWays: readonly WayName[] = ["continue", "scratch"];
const context = 1024;
const batchSequences = 8;
/** What `forecastStep` takes products to reach of the peak; a device that reaches less is taken for a slower one. */
const shareOfProducts = 0.8;

/** Estimates for the ways of a plan that train a whole model: micro-batches as large as the device's memory allows. */
export async function stepsOf({ ways }: Plan, needs: Needs, catalogue: Catalogue): Promise<StepEstimate[]> {
  const device = deviceNamed(needs.device, catalogue);
  const estimates: StepEstimate[] = [];
  for (const { name, model, parameters } of ways.filter((way) => trainingWays.includes(way.name))) {
    estimates.push({ way: name, model, ...(await stepOf(parameters, device)) });
  }
  return estimates;
}

async function stepOf(parameters: number, device: Device): Promise<Omit<StepEstimate, "way" | "model">> {
  const configuration = llamaOf(parameters);
  const rates = {
    precision: "bf16" as const,
    peakFlops: device.peakFlops * Math.min(1, device.utilisation / shareOfProducts),
    memoryBytesPerSecond: device.memoryBytesPerSecond,
  };
  const attempts = [
    { microBatchSequences: batchSequences },
    { microBatchSequences: 1 },
    { microBatchSequences: 1, activationCheckpointing: true },
  ];
  for (const [index, attempt] of attempts.entries()) {
    const training = trainingConfiguration.parse({ steps: 1000, sequenceLength: context, batchSequences, ...attempt });
    const told = await forecastStep(llama, configuration, training, rates);
    const fits = told.memoryBytes <= device.memoryBytes;
    if (!fits && index < attempts.length - 1) continue;
    const { memoryBytes, seconds, tokensPerSecond } = told;
    return { device: device.name, configuration, training, memoryBytes, seconds, tokensPerSecond, fits };
  }
  throw new Error("there is no attempt");
}

/** A Llama of about so many parameters, some 64 times as wide as deep, with a vocabulary that suits its size. */
export function llamaOf(parameters: number): LlamaConfiguration {
  const vocabularySize = parameters >= 1e8 ? 32_000 : parameters >= 1e7 ? 8192 : 2048;
  const shapes = Array.from({ length: 256 }, (_, index) => {
    const width = 64 * (index + 1);
    const layers = Math.round((parameters - vocabularySize * width) / (12 * width ** 2));
    return { width, layers: Math.max(1, layers) };
  });
  const excess = ({ width, layers }: { readonly width: number; readonly layers: number }) => {
    const count = vocabularySize * width + 12 * layers * width ** 2;
    return 10 * Math.abs(Math.log(count / parameters)) + Math.abs(Math.log(width / layers / 64));
  };
  const { width, layers } = shapes.reduce((best, shape) => (excess(shape) < excess(best) ? shape : best));
  return llamaConfiguration.parse({ vocabularySize, width, layers, attentionHeads: width / 64, context });
}
