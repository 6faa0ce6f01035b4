/** Sizes of models by name: the papers' own, and small ones that train in minutes on two cores. */
import { noSuch, UsageError } from "../foundation/index.ts";

/** An architecture with its sizes; the vocabulary and its end come from the tokenizer. */
export interface ModelPreset {
  readonly describe: string;
  readonly architecture: string;
  readonly configuration: Readonly<Record<string, unknown>>;
}

const base = { width: 768, layers: 12, attentionHeads: 12 };
const gpt2 = (describe: string, layers: number, width: number, attentionHeads: number): ModelPreset => ({
  describe: `${describe} (Radford et al. 2019)`,
  architecture: "gpt2",
  configuration: { layers, width, attentionHeads, context: 1024 },
});
const encoder = (describe: string, architecture: string, sizes: object): ModelPreset => ({
  describe,
  architecture,
  configuration: { ...sizes, context: 512 },
});

export const modelPresets: Readonly<Record<string, ModelPreset>> = {
  "llama-tiny": {
    describe: "Llama of about 3M parameters: minutes on two cores",
    architecture: "llama",
    configuration: { layers: 5, width: 192, attentionHeads: 6, mlpWidth: 512, context: 256 },
  },
  "gpt2-124m": gpt2("GPT-2, 124M parameters", 12, 768, 12),
  "gpt2-355m": gpt2("GPT-2 medium, 355M parameters", 24, 1024, 16),
  "gpt2-774m": gpt2("GPT-2 large, 774M parameters", 36, 1280, 20),
  "gpt2-1.5b": gpt2("GPT-2 XL, 1.56G parameters", 48, 1600, 25),
  "modernbert-tiny": {
    describe: "ModernBERT of about 3M parameters: minutes on two cores",
    architecture: "modernbert",
    configuration: { layers: 4, width: 192, attentionHeads: 6, mlpWidth: 512, context: 128, activation: "silu" },
  },
  "bert-base": encoder("BERT base, 110M parameters (Devlin et al. 2019)", "bert", base),
  "bert-large": encoder("BERT large, 335M parameters (Devlin et al. 2019)", "bert", {
    ...{ width: 1024, layers: 24, attentionHeads: 16 },
  }),
  "roberta-base": encoder("RoBERTa base, 125M parameters (Liu et al. 2019)", "roberta", base),
  "clip-tiny": {
    describe: "CLIP of about 1M parameters for pictures of 48 pixels: minutes on two cores",
    architecture: "clip",
    configuration: {
      context: 32,
      embeddingWidth: 128,
      text: { width: 128, layers: 2, attentionHeads: 4 },
      vision: { width: 128, layers: 4, attentionHeads: 4, imageSize: 48, patchSize: 8 },
    },
  },
  "siglip-tiny": {
    describe: "SigLIP of about 1M parameters for pictures of 48 pixels",
    architecture: "siglip",
    configuration: {
      context: 32,
      width: 128,
      text: { layers: 2, attentionHeads: 4 },
      vision: { layers: 4, attentionHeads: 4, imageSize: 48, patchSize: 8 },
    },
  },
  "clip-vit-b-32": {
    describe: "CLIP ViT-B/32, 151M parameters (Radford et al. 2021)",
    architecture: "clip",
    configuration: {
      context: 77,
      embeddingWidth: 512,
      text: { width: 512, layers: 12, attentionHeads: 8 },
      vision: { ...base, imageSize: 224, patchSize: 32 },
      activation: "quick-gelu",
    },
  },
  "clip-vit-b-16": {
    describe: "CLIP ViT-B/16, 150M parameters (Radford et al. 2021)",
    architecture: "clip",
    configuration: {
      context: 77,
      embeddingWidth: 512,
      text: { width: 512, layers: 12, attentionHeads: 8 },
      vision: { ...base, imageSize: 224, patchSize: 16 },
      activation: "quick-gelu",
    },
  },
  "siglip-b-16": {
    describe: "SigLIP B/16 at 224 pixels, 203M parameters with its vocabulary of 32,000 (Zhai et al. 2023)",
    architecture: "siglip",
    configuration: {
      context: 64,
      width: 768,
      text: { layers: 12, attentionHeads: 12, mlpWidth: 3072 },
      vision: { layers: 12, attentionHeads: 12, mlpWidth: 3072, imageSize: 224, patchSize: 16 },
    },
  },
};

/** The preset of that name. Throws UsageError with the names that there are. */
export function modelPreset(name: string): ModelPreset {
  const preset = Object.hasOwn(modelPresets, name) ? modelPresets[name] : undefined;
  if (preset !== undefined) return preset;
  throw new UsageError(noSuch("preset", name, Object.keys(modelPresets)), {
    remedy: `Presets: ${Object.keys(modelPresets).join(", ")}`,
  });
}
