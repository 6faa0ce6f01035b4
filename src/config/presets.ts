/** Whole settings of a run by name: `preset: "bert-base"`. What the run sets itself stands above them. */
import { noSuch, UsageError } from "../foundation/index.ts";
import { modelPreset } from "../models/index.ts";

/** Parts of a run's configuration, as they are written. */
export interface RunPreset {
  readonly describe: string;
  readonly objective: { readonly kind: string; readonly [setting: string]: unknown };
  readonly tokenizer: { readonly vocabularySize: number };
  readonly training: Readonly<Record<string, unknown>>;
}

const decay = { kind: "warmup-stable-decay", decayShare: 0.4, finalShare: 0.05 };
/** GPT-3's optimizer (Brown et al. 2020) with nanoGPT's batch of half a million tokens, on the paper's models. */
const gpt2 = (learningRate: number): RunPreset["training"] => ({
  ...{ steps: 100_000, sequenceLength: 1024, batchSequences: 480, microBatchSequences: 4, learningRate },
  schedule: { kind: "cosine", warmupSteps: 2000, finalShare: 0.1 },
  ...{ validateEvery: 1000, checkpointEvery: 2000 },
});
/** Devlin et al. 2019, at the length of nine in ten of the paper's steps. */
const bert = (steps: number, learningRate: number, microBatchSequences: number): RunPreset["training"] => ({
  ...{ steps, sequenceLength: 128, batchSequences: 256, microBatchSequences, learningRate },
  schedule: { kind: "warmup-stable-decay", warmupSteps: 10_000, decayShare: 1, finalShare: 0 },
  optimizer: { beta2: 0.999, epsilon: 1e-6, weightDecay: 0.01 },
  ...{ validateEvery: 1000, checkpointEvery: 5000 },
});
/** Radford et al. 2021: batches of 32,768 by gradient caching. */
const clip: RunPreset["training"] = {
  ...{ steps: 390_000, batchPairs: 32_768, microBatchPairs: 64, learningRate: 5e-4 },
  schedule: { kind: "cosine", warmupSteps: 2000, finalShare: 0 },
  optimizer: { beta2: 0.98, epsilon: 1e-6, weightDecay: 0.2 },
  augmentation: { cropShare: [0.9, 1] },
};

/** Zhai et al. 2023: the sigmoid loss needs no larger batch than these 32,768. */
const siglip: RunPreset["training"] = {
  ...clip,
  ...{ steps: 300_000, learningRate: 1e-3, optimizer: { beta2: 0.95, weightDecay: 1e-4 } },
};
const clipTiny: RunPreset["training"] = {
  ...{ steps: 450, batchPairs: 256, microBatchPairs: 256, learningRate: 1e-3 },
  schedule: { kind: "cosine", warmupSteps: 20, finalShare: 0.02 },
  optimizer: { weightDecay: 0.2, beta2: 0.98 },
  augmentation: {
    // A third of a picture shows little of it; mirrored pictures keep their captions, but for writing and arrows.
    ...{ cropShare: [0.4, 1], cropRatio: [0.8, 1.25], flip: 0.5 },
    // Against learning a thousand pictures by heart.
    ...{ wordDropout: 0.25, patchDropout: 0.4 },
  },
};

/** Few whole words, so that new ones are made of the same pieces as those that were trained on. */
const tinyVocabulary = { vocabularySize: 600 };

const nextToken = { kind: "next-token" };
const maskedToken = { kind: "masked-token" };
const contrastive = { kind: "contrastive" };
const describe = (name: string) => modelPreset(name).describe;

/** By the name of their model. */
export const runPresets: Readonly<Record<string, RunPreset>> = {
  "llama-tiny": {
    describe: describe("llama-tiny"),
    objective: nextToken,
    tokenizer: { vocabularySize: 4096 },
    training: {
      ...{ steps: 1000, sequenceLength: 256, batchSequences: 8, microBatchSequences: 8, learningRate: 4e-3 },
      schedule: { ...decay, warmupSteps: 50 },
      optimizer: { kind: "muon" },
    },
  },
  ...Object.fromEntries(
    Object.entries({ "gpt2-124m": 6e-4, "gpt2-355m": 3e-4, "gpt2-774m": 2.5e-4, "gpt2-1.5b": 2e-4 }).map(
      ([name, rate]): [string, RunPreset] => [
        name,
        {
          ...{ describe: describe(name), objective: nextToken, tokenizer: { vocabularySize: 50_257 } },
          training: gpt2(rate),
        },
      ],
    ),
  ),
  "modernbert-tiny": {
    describe: describe("modernbert-tiny"),
    // 30 % instead of 15 %: twice the signal a step, as ModernBERT.
    objective: { ...maskedToken, rate: 0.3 },
    tokenizer: { vocabularySize: 4096 },
    training: {
      ...{ steps: 900, sequenceLength: 128, batchSequences: 32, microBatchSequences: 16, learningRate: 4e-3 },
      schedule: { ...decay, warmupSteps: 60 },
      optimizer: { kind: "muon" },
    },
  },
  "bert-base": {
    ...{ describe: describe("bert-base"), objective: maskedToken, tokenizer: { vocabularySize: 30_522 } },
    training: bert(1_000_000, 1e-4, 16),
  },
  "bert-large": {
    ...{ describe: describe("bert-large"), objective: maskedToken, tokenizer: { vocabularySize: 30_522 } },
    training: bert(1_000_000, 1e-4, 8),
  },
  "roberta-base": {
    ...{ describe: describe("roberta-base"), objective: maskedToken, tokenizer: { vocabularySize: 50_265 } },
    training: { ...bert(125_000, 1e-3, 4), sequenceLength: 512, batchSequences: 2048 },
  },
  "clip-tiny": {
    ...{ describe: describe("clip-tiny"), objective: contrastive, tokenizer: tinyVocabulary },
    training: clipTiny,
  },
  "clip-vit-b-32": {
    ...{ describe: describe("clip-vit-b-32"), objective: contrastive, tokenizer: { vocabularySize: 49_408 } },
    training: clip,
  },
  "clip-vit-b-16": {
    ...{ describe: describe("clip-vit-b-16"), objective: contrastive, tokenizer: { vocabularySize: 49_408 } },
    training: clip,
  },
  "siglip-tiny": {
    ...{ describe: describe("siglip-tiny"), objective: contrastive, tokenizer: tinyVocabulary },
    training: clipTiny,
  },
  "siglip-b-16": {
    ...{ describe: describe("siglip-b-16"), objective: contrastive, tokenizer: { vocabularySize: 32_000 } },
    training: siglip,
  },
};

/** The preset of that name. Throws UsageError with the names that there are. */
export function runPreset(name: unknown): RunPreset {
  if (typeof name === "string" && Object.hasOwn(runPresets, name)) return runPresets[name];
  const names = Object.keys(runPresets);
  throw new UsageError(noSuch("preset", String(name), names), { remedy: `Presets: ${names.join(", ")}` });
}

/** A run's settings over those of the preset that it names; as they are where it names none. Throws UsageError for an unknown one. */
export function withPreset(value: unknown): unknown {
  if (value === null || typeof value !== "object" || !("preset" in value)) return value;
  const { preset: name, ...own } = value;
  const preset = runPreset(name);
  const { describe: _, ...settings } = preset;
  const { architecture, configuration } = modelPreset(name as string);
  return merged({ ...settings, model: { architecture, ...configuration } }, own);
}

/** `over` above `under`, group by group; another kind of objective or model takes nothing of the preset's. */
function merged(under: Readonly<Record<string, unknown>>, over: Readonly<Record<string, unknown>>) {
  const out: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = under[key];
    out[key] = isGroup(value) && isGroup(below) ? (isOther(value, below) ? value : merged(below, value)) : value;
  }
  return out;
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isOther(value: Record<string, unknown>, below: Record<string, unknown>): boolean {
  return ["architecture", "kind"].some((key) => value[key] !== undefined && value[key] !== below[key] && key in below);
}
