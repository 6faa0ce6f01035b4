/** The architectures: one file each, one line here. */
import { noSuch, TilthError } from "../foundation/index.ts";
import { type BertConfiguration, bert } from "./bert.ts";
import { clip } from "./clip.ts";
import { gpt2 } from "./gpt2.ts";
import type { ImageTextArchitecture } from "./image-text.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import type { Architecture, ModelFamily, StoredArchitecture } from "./model.ts";
import { modernBert } from "./modernbert.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { roberta } from "./roberta.ts";
import { siglip } from "./siglip.ts";
import { vit } from "./vit.ts";

const architectures: Readonly<Record<string, Architecture<unknown>>> = {
  llama: llama as Architecture<unknown>,
  gpt2: gpt2 as Architecture<unknown>,
  qwen2: qwen2 as Architecture<unknown>,
  qwen3: qwen3 as Architecture<unknown>,
  mistral: mistral as Architecture<unknown>,
  bert: bert as Architecture<unknown>,
  roberta: roberta as Architecture<unknown>,
  modernbert: modernBert as Architecture<unknown>,
};

/** The names that a configuration's `model.architecture` takes. */
export const architectureNames: readonly string[] = Object.keys(architectures);

/** The names of the architectures of those families. */
export function architecturesOf(families: readonly ModelFamily[]): string[] {
  return architectureNames.filter((name) => families.includes(architectures[name].family));
}

/** The architecture of that name. Throws TilthError for an unknown one. */
export function architectureNamed(name: string): Architecture<unknown> {
  const architecture = architectures[name];
  if (architecture === undefined) {
    throw new TilthError(noSuch("architecture", name, architectureNames), {
      remedy: `Architectures: ${architectureNames.join(", ")}`,
    });
  }
  return architecture;
}

/** The architecture that a Hugging Face `config.json` names. Throws TilthError for one that Tilth does not read. */
export function architectureOfHuggingFace(config: Readonly<Record<string, unknown>>): Architecture<unknown> {
  const declared = Array.isArray(config.architectures) ? String(config.architectures[0]) : String(config.model_type);
  const found = Object.values(architectures).find(
    (one) => one.huggingFaceClass === declared || one.name === config.model_type,
  );
  if (found === undefined) {
    throw new TilthError(`config.json: the architecture "${declared}" is not one that this version of Tilth reads`, {
      remedy: `It reads: ${Object.values(architectures)
        .map((one) => one.huggingFaceClass)
        .join(", ")}`,
    });
  }
  return found;
}

const imageTextArchitectures: Readonly<Record<string, ImageTextArchitecture<unknown>>> = {
  clip: clip as unknown as ImageTextArchitecture<unknown>,
  siglip: siglip as unknown as ImageTextArchitecture<unknown>,
};

/** The names that a configuration's `model.architecture` takes for the contrastive objective. */
export const imageTextArchitectureNames: readonly string[] = Object.keys(imageTextArchitectures);

/** The two-tower architecture of that name, or undefined. */
export function imageTextArchitectureNamed(name: string): ImageTextArchitecture<unknown> | undefined {
  return imageTextArchitectures[name];
}

/** The two-tower architecture that a Hugging Face `config.json` names, or undefined. */
export function imageTextArchitectureOf(
  config: Readonly<Record<string, unknown>>,
): ImageTextArchitecture<unknown> | undefined {
  return Object.values(imageTextArchitectures).find(({ name }) => name === config.model_type);
}

/** The architecture of any kind, also those that write no text, that a Hugging Face `config.json` names. */
export function storedArchitectureOf(config: Readonly<Record<string, unknown>>): StoredArchitecture {
  if (config.model_type === vit.name) return vit as unknown as StoredArchitecture;
  return imageTextArchitectureOf(config) ?? architectureOfHuggingFace(config);
}

/** Tokens that a model of that configuration knows, where it reads text. */
export function vocabularySizeOf(configuration: unknown): number | undefined {
  return (configuration as { vocabularySize?: number }).vocabularySize;
}

export { bertConfiguration } from "./bert.ts";
export { type ClipConfiguration, clip, clipConfiguration } from "./clip.ts";
export type { ImageBatch } from "./encoder.ts";
export { type Gpt2Configuration, gpt2Configuration } from "./gpt2.ts";
export * from "./image-text.ts";
export { type CachedSpan, type CacheOptions, KeyValueCache } from "./key-value-cache.ts";
export { type LlamaConfiguration, llama, llamaConfiguration } from "./llama.ts";
export * from "./model.ts";
export { type ModernBertConfiguration, modernBertConfiguration } from "./modernbert.ts";
export { fromOpenClip, openClip, openClipWeights, toOpenClip } from "./open-clip.ts";
export { type ModelPreset, modelPreset, modelPresets } from "./presets.ts";
export { robertaConfiguration } from "./roberta.ts";
export { rotaryFrequencies } from "./rope-angles.ts";
export { type ContextChange, ropeAttentionFactor, ropeFrequencies, ropeScalingKinds } from "./rope-scaling.ts";
export { type SiglipConfiguration, siglip, siglipConfiguration } from "./siglip.ts";
export { type VitConfiguration, VitModel, vit, vitConfiguration } from "./vit.ts";
export { type BertConfiguration, bert, gpt2, mistral, modernBert, qwen2, qwen3, roberta };
