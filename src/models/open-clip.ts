/** open_clip's names for CLIP's tensors, and its configuration. Its projections are stored transposed. */
import { z } from "zod";
import { positiveInteger, TilthError } from "../foundation/index.ts";
import { type ClipConfiguration, clip, clipConfiguration } from "./clip.ts";
import { mapped, mappedPair } from "./encoder.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import type { ImageTextArchitecture } from "./image-text.ts";
import type { WeightMapping } from "./model.ts";

/** The tensors of an `open_clip_model.safetensors` of the same sizes. */
export function openClipWeights(configuration: ClipConfiguration): WeightMapping[] {
  const { vocabularySize, context, embeddingWidth, vision, text } = configuration;
  const positions = (vision.imageSize / vision.patchSize) ** 2 + 1;
  const tower = (prefix: string, theirs: string, sizes: ClipConfiguration["text"]): WeightMapping[] => {
    const { width, layers, mlpWidth = 4 * width } = sizes;
    return Array.from({ length: layers }, (_, index) => {
      const [ours, block] = [`${prefix}.layers.${index}`, `${theirs}.resblocks.${index}`];
      return [
        ...mappedPair(`${block}.ln_1`, `${ours}.attentionNorm`, width),
        mapped(`${block}.attn.in_proj_weight`, `${ours}.queryKeyValue.weight`, [3 * width, width]),
        mapped(`${block}.attn.in_proj_bias`, `${ours}.queryKeyValue.bias`, [3 * width]),
        ...mappedPair(`${block}.attn.out_proj`, `${ours}.attentionOutput`, width, width),
        ...mappedPair(`${block}.ln_2`, `${ours}.mlpNorm`, width),
        ...mappedPair(`${block}.mlp.c_fc`, `${ours}.up`, mlpWidth, width),
        ...mappedPair(`${block}.mlp.c_proj`, `${ours}.down`, width, mlpWidth),
      ];
    }).flat();
  };
  return [
    mapped("logit_scale", "logitScale", []),
    mapped("visual.class_embedding", "vision.class", [vision.width]),
    mapped("visual.conv1.weight", "vision.patch", [vision.width, 3, vision.patchSize, vision.patchSize]),
    mapped("visual.positional_embedding", "vision.positions", [positions, vision.width]),
    ...mappedPair("visual.ln_pre", "vision.preNorm", vision.width),
    ...tower("vision", "visual.transformer", vision),
    ...mappedPair("visual.ln_post", "vision.norm", vision.width),
    { ...mapped("visual.proj", "vision.projection", [vision.width, embeddingWidth]), transposed: true },
    mapped("token_embedding.weight", "text.embedding", [vocabularySize, text.width]),
    mapped("positional_embedding", "text.positions", [context, text.width]),
    ...tower("text", "transformer", text),
    ...mappedPair("ln_final", "text.norm", text.width),
    { ...mapped("text_projection", "text.projection", [text.width, embeddingWidth]), transposed: true },
  ];
}

/** `open_clip_config.json`'s `model_cfg`, plain towers only: anything else in it is an error that names the key. */
const modelConfiguration = z.strictObject({
  embed_dim: positiveInteger,
  quick_gelu: z.boolean().default(false),
  vision_cfg: z.strictObject({
    image_size: positiveInteger,
    layers: positiveInteger,
    width: positiveInteger,
    head_width: positiveInteger.default(64),
    mlp_ratio: z.number().positive().default(4),
    patch_size: positiveInteger,
  }),
  text_cfg: z.strictObject({
    context_length: positiveInteger.default(77),
    vocab_size: positiveInteger.default(49_408),
    width: positiveInteger,
    heads: positiveInteger,
    layers: positiveInteger,
    mlp_ratio: z.number().positive().default(4),
  }),
});

/** The configuration that an open_clip model of that `model_cfg` has. Throws TilthError naming the key that does not fit. */
export function fromOpenClip(config: unknown): ClipConfiguration {
  const one = foreignConfiguration(
    modelConfiguration,
    config,
    "Tilth reads open_clip's plain ViT towers.",
    "open_clip_config.json",
  );
  const { embed_dim, quick_gelu, vision_cfg: vision, text_cfg: text } = one;
  return clipConfiguration.parse({
    vocabularySize: text.vocab_size,
    context: text.context_length,
    endOfText: text.vocab_size - 1,
    embeddingWidth: embed_dim,
    activation: quick_gelu ? "quick-gelu" : "gelu",
    text: {
      width: text.width,
      layers: text.layers,
      attentionHeads: text.heads,
      mlpWidth: Math.trunc(text.width * text.mlp_ratio),
    },
    vision: {
      width: vision.width,
      layers: vision.layers,
      attentionHeads: vision.width / vision.head_width,
      mlpWidth: Math.trunc(vision.width * vision.mlp_ratio),
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
    },
  });
}

/** `model_cfg` of a configuration. Throws TilthError for what open_clip's plain towers do not have. */
export function toOpenClip(configuration: ClipConfiguration): Record<string, unknown> {
  const { vocabularySize, context, endOfText, embeddingWidth, activation, normEpsilon, text, vision } = configuration;
  const refuse = (what: string) => {
    throw new TilthError(`open_clip's plain towers have no ${what}`, { remedy: "Use --to huggingface." });
  };
  if (activation === "gelu-tanh") refuse("GELU by tanh");
  if (normEpsilon !== 1e-5) refuse(`norms with an epsilon of ${normEpsilon}`);
  if (endOfText !== vocabularySize - 1) refuse(`texts that end in ${endOfText}: they end in the last token`);
  const mlpRatio = ({ width, mlpWidth = 4 * width }: ClipConfiguration["text"]) =>
    mlpWidth === 4 * width ? {} : { mlp_ratio: mlpWidth / width };
  return {
    embed_dim: embeddingWidth,
    ...(activation === "quick-gelu" && { quick_gelu: true }),
    vision_cfg: {
      ...{ image_size: vision.imageSize, layers: vision.layers, width: vision.width, patch_size: vision.patchSize },
      ...{ head_width: vision.width / vision.attentionHeads, ...mlpRatio(vision) },
    },
    text_cfg: {
      ...{ context_length: context, vocab_size: vocabularySize, width: text.width },
      ...{ heads: text.attentionHeads, layers: text.layers, ...mlpRatio(text) },
    },
  };
}

/** CLIP under open_clip's names. */
export const openClip: ImageTextArchitecture<ClipConfiguration> = {
  ...clip,
  huggingFaceClass: "open_clip's CLIP",
  weights: openClipWeights,
};
