/** Sizes of models with two towers by name: the papers' own, and small ones that train in minutes on two cores. */
import { nearest, UsageError } from "../foundation/index.ts";

/** An architecture with its sizes; the vocabulary and its end come from the tokenizer. */
export interface ImageTextPreset {
  readonly describe: string;
  readonly architecture: "clip" | "siglip";
  readonly configuration: Readonly<Record<string, unknown>>;
}

const base = { width: 768, layers: 12, attentionHeads: 12 };

export const imageTextPresets: Readonly<Record<string, ImageTextPreset>> = {
  "clip-tiny": {
    describe: "CLIP of about 1M parameters for pictures of 48 pixels: minutes on two cores",
    architecture: "clip",
    configuration: {
      context: 24,
      embeddingWidth: 128,
      text: { width: 128, layers: 2, attentionHeads: 4 },
      vision: { width: 128, layers: 4, attentionHeads: 4, imageSize: 48, patchSize: 8 },
    },
  },
  "siglip-tiny": {
    describe: "SigLIP of about 1M parameters for pictures of 48 pixels",
    architecture: "siglip",
    configuration: {
      context: 24,
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
export function imageTextPreset(name: string): ImageTextPreset {
  const preset = Object.hasOwn(imageTextPresets, name) ? imageTextPresets[name] : undefined;
  if (preset !== undefined) return preset;
  const guess = nearest(name, Object.keys(imageTextPresets));
  throw new UsageError(`there is no preset "${name}" of images and texts${guess ? `; did you mean "${guess}"?` : ""}`, {
    remedy: `Presets: ${Object.keys(imageTextPresets).join(", ")}`,
  });
}
