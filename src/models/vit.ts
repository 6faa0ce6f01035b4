/**
 * ViT (Dosovitskiy et al. 2021): patches and a class token through a pre-norm transformer, for features and, with `classes`,
 * classification from the class token.
 */
import { z } from "zod";
import {
  type Engine,
  gatherRows,
  layerNorm,
  linearWithBias,
  ParameterArena,
  type ParameterSpecification,
  type Variable,
} from "../engine/index.ts";
import { positiveInteger, settingsObject, TilthError } from "../foundation/index.ts";
import {
  activationFrom,
  activationNames,
  activationTo,
  type BlockNames,
  type EncoderSizes,
  embedPatches,
  encoderParameters,
  encoderWeights,
  type ImageBatch,
  imageSettings,
  linearParameters,
  mapped,
  mappedPair,
  normalParameter,
  normParameters,
  runEncoder,
  towerActivations,
  towerSettings,
  weightAndBias,
  wholePatches,
  wholePatchesMessage,
} from "./encoder.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import type { WeightMapping } from "./model.ts";

/** Sizes of a ViT, images in pixels. */
export const vitConfiguration = settingsObject("ViT", {
  width: positiveInteger,
  ...towerSettings,
  ...imageSettings,
  /** Classes of the head; none: features only. */
  classes: z.number().int().nonnegative().default(0),
  activation: towerActivations.default("gelu"),
  normEpsilon: z.number().positive().default(1e-12),
})
  .refine(({ width, attentionHeads }) => width % attentionHeads === 0, {
    message: "width must be a multiple of attentionHeads",
  })
  .refine(wholePatches, wholePatchesMessage);

export type VitConfiguration = z.infer<typeof vitConfiguration>;

const sizesOf = ({ mlpWidth, ...one }: VitConfiguration): EncoderSizes => ({
  ...one,
  mlpWidth: mlpWidth ?? 4 * one.width,
});
const tokensOf = ({ imageSize, patchSize }: VitConfiguration) => (imageSize / patchSize) ** 2 + 1;

function parameters(configuration: VitConfiguration): ParameterSpecification[] {
  const { width, patchSize, classes } = configuration;
  return [
    normalParameter("patch.weight", [width, 3 * patchSize ** 2], 0.02),
    normalParameter("patch.bias", [width], 0),
    normalParameter("class", [width], 0.02),
    normalParameter("positions", [tokensOf(configuration), width], 0.02),
    ...encoderParameters("encoder", sizesOf(configuration)),
    ...normParameters("norm", width),
    ...(classes === 0 ? [] : linearParameters("head", classes, width, 0.02)),
  ];
}

/** A ViT on a backend. */
export class VitModel {
  readonly architecture = vit;
  readonly arena: ParameterArena;

  constructor(
    engine: Engine,
    readonly configuration: VitConfiguration,
  ) {
    this.arena = new ParameterArena(engine.backend, parameters(configuration));
  }

  /** Normalised hidden states of every token, the class token first: [images · tokens, width]. */
  forward(engine: Engine, batch: ImageBatch): Variable {
    const { arena, configuration } = this;
    const { rows: x, length } = embedPatches(engine, batch, configuration.patchSize, {
      ...weightAndBias(arena, "patch"),
      positions: arena.get("positions"),
      classToken: arena.get("class"),
    });
    const shape = { sequences: batch.images, length, causal: false };
    const stream = runEncoder(engine, arena, "encoder", sizesOf(configuration), x, shape);
    const epsilon = configuration.normEpsilon;
    return engine.run(layerNorm, { x: stream, ...weightAndBias(arena, "norm") }, { epsilon }).out;
  }

  /** The class token's hidden state: [images, width]. */
  features(engine: Engine, batch: ImageBatch): Variable {
    const length = tokensOf(this.configuration);
    const rows = engine.constant(Int32Array.from({ length: batch.images }, (_, image) => image * length));
    return engine.run(gatherRows, { x: this.forward(engine, batch) }, { rows }).out;
  }

  /** Logits of the classes: [images, classes]. */
  classify(engine: Engine, batch: ImageBatch): Variable {
    if (this.configuration.classes === 0) throw new TilthError("this ViT has no classification head");
    return engine.run(linearWithBias, { x: this.features(engine, batch), ...weightAndBias(this.arena, "head") }, {})
      .out;
  }

  dispose(): void {
    this.arena.dispose();
  }
}

const blockNames: BlockNames = {
  attentionNorm: "layernorm_before",
  query: "attention.attention.query",
  key: "attention.attention.key",
  value: "attention.attention.value",
  attentionOutput: "attention.output.dense",
  mlpNorm: "layernorm_after",
  up: "intermediate.dense",
  down: "output.dense",
};

/** The keys of a Hugging Face `config.json` that decide what a ViT computes. */
const huggingFaceConfiguration = z.looseObject({
  architectures: z.array(z.string()).default([]),
  hidden_size: positiveInteger,
  intermediate_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  image_size: positiveInteger.default(224),
  patch_size: positiveInteger.default(16),
  num_channels: z.literal(3).default(3),
  qkv_bias: z.literal(true).default(true),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.enum(activationNames).default("gelu"),
  id2label: z.record(z.string(), z.string()).default({ 0: "LABEL_0", 1: "LABEL_1" }),
});

/** The ViT architecture; the fields are those of `Architecture`. */
export const vit = {
  name: "vit",
  huggingFaceClass: "ViTForImageClassification",
  schema: vitConfiguration,
  parameters,
  create: (engine: Engine, configuration: VitConfiguration) => new VitModel(engine, configuration),
  weights(configuration: VitConfiguration): WeightMapping[] {
    const { width, patchSize, classes } = configuration;
    // Without a head the file is that of the bare model, whose names have no prefix.
    const prefix = classes === 0 ? "" : "vit.";
    const embeddings = `${prefix}embeddings`;
    const patch = `${embeddings}.patch_embeddings.projection`;
    return [
      mapped(`${embeddings}.cls_token`, "class", [1, 1, width]),
      mapped(`${embeddings}.position_embeddings`, "positions", [1, tokensOf(configuration), width]),
      mapped(`${patch}.weight`, "patch.weight", [width, 3, patchSize, patchSize]),
      mapped(`${patch}.bias`, "patch.bias", [width]),
      ...encoderWeights("encoder", `${prefix}encoder.layer`, sizesOf(configuration), blockNames),
      ...mappedPair(`${prefix}layernorm`, "norm", width),
      ...(classes === 0 ? [] : mappedPair("classifier", "head", classes, width)),
    ];
  },
  isRedundant: (name: string) => /^(vit\.)?pooler\./.test(name),
  toHuggingFace: (one: VitConfiguration) => ({
    architectures: [one.classes === 0 ? "ViTModel" : "ViTForImageClassification"],
    model_type: "vit",
    hidden_size: one.width,
    intermediate_size: sizesOf(one).mlpWidth,
    num_hidden_layers: one.layers,
    num_attention_heads: one.attentionHeads,
    image_size: one.imageSize,
    patch_size: one.patchSize,
    num_channels: 3,
    qkv_bias: true,
    layer_norm_eps: one.normEpsilon,
    hidden_act: activationTo(one.activation),
    ...(one.classes === 0
      ? {}
      : { id2label: Object.fromEntries(Array.from({ length: one.classes }, (_, i) => [i, `LABEL_${i}`])) }),
    torch_dtype: "float32",
  }),
  /** Throws TilthError naming the key that is unknown to Tilth. */
  fromHuggingFace(config: Readonly<Record<string, unknown>>): VitConfiguration {
    const one = foreignConfiguration(
      huggingFaceConfiguration,
      config,
      "Tilth reads ViT configurations as transformers writes them.",
    );
    return vitConfiguration.parse({
      width: one.hidden_size,
      layers: one.num_hidden_layers,
      attentionHeads: one.num_attention_heads,
      mlpWidth: one.intermediate_size,
      imageSize: one.image_size,
      patchSize: one.patch_size,
      classes: one.architectures[0] === "ViTForImageClassification" ? Object.keys(one.id2label).length : 0,
      activation: activationFrom(one.hidden_act),
      normEpsilon: one.layer_norm_eps,
    });
  },
};
