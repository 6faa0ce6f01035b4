/**
 * CLIP (Radford et al. 2021): a vision transformer with a class token and a causal text transformer that is read at its
 * end-of-text token, both projected to one space. Quick GELU in OpenAI's weights, GELU in most of open_clip's.
 */
import { z } from "zod";
import {
  addRows,
  type Engine,
  embedding,
  gatherRows,
  l2Normalize,
  layerNorm,
  linear,
  type Parameter,
  ParameterArena,
  type ParameterSpecification,
  type Variable,
} from "../engine/index.ts";
import { positiveInteger, settingsObject, TilthError } from "../foundation/index.ts";
import {
  activationFrom,
  clipBlockNames,
  type EncoderSizes,
  embedPatches,
  encoderParameters,
  encoderWeights,
  type ImageBatch,
  imageSettings,
  mapped,
  mappedPair,
  normalParameter,
  normParameters,
  rowsOfParameter,
  runEncoder,
  towerActivations,
  towerSettings,
  weightAndBias,
  wholePatches,
  wholePatchesMessage,
} from "./encoder.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import { foreignTower, fromForeignTower, requireEqualTowers, toForeignTower } from "./foreign-towers.ts";
import { type ImageTextArchitecture, type ImageTextModel, type TextBatch, towerFlops } from "./image-text.ts";
import type { WeightMapping } from "./model.ts";

const towerShape = { width: positiveInteger, ...towerSettings };

const wholeHeads = (tower: { width: number; attentionHeads: number }) => tower.width % tower.attentionHeads === 0;
const wholeHeadsMessage = { message: "width must be a multiple of attentionHeads" };

/** Sizes of a CLIP. Images in pixels, `context` in tokens. */
export const clipConfiguration = settingsObject("CLIP", {
  vocabularySize: positiveInteger,
  /** Tokens of the longest text, its end included. */
  context: positiveInteger.default(77),
  /** The token that ends a text; the text's embedding is read there. */
  endOfText: z.number().int().nonnegative(),
  embeddingWidth: positiveInteger,
  text: settingsObject("text tower", towerShape).refine(wholeHeads, wholeHeadsMessage),
  vision: settingsObject("vision tower", { ...towerShape, ...imageSettings })
    .refine(wholeHeads, wholeHeadsMessage)
    .refine(wholePatches, wholePatchesMessage),
  activation: towerActivations.default("gelu"),
  normEpsilon: z.number().positive().default(1e-5),
}).refine(({ endOfText, vocabularySize }) => endOfText < vocabularySize, {
  message: "endOfText must be a token of the vocabulary",
});

export type ClipConfiguration = z.infer<typeof clipConfiguration>;

const towerOf = (configuration: ClipConfiguration, which: "text" | "vision"): EncoderSizes => {
  const { width, layers, attentionHeads, mlpWidth = 4 * width } = configuration[which];
  const { normEpsilon, activation } = configuration;
  return { width, layers, attentionHeads, mlpWidth, normEpsilon, activation };
};

const patchesOf = ({ vision }: ClipConfiguration) => (vision.imageSize / vision.patchSize) ** 2;

function parameters(configuration: ClipConfiguration): ParameterSpecification[] {
  const { vocabularySize, context, embeddingWidth, vision, text } = configuration;
  const patch = 3 * vision.patchSize ** 2;
  return [
    normalParameter("vision.patch", [vision.width, patch], patch ** -0.5),
    normalParameter("vision.class", [vision.width], vision.width ** -0.5),
    normalParameter("vision.positions", [patchesOf(configuration) + 1, vision.width], vision.width ** -0.5),
    ...normParameters("vision.preNorm", vision.width),
    ...encoderParameters("vision", towerOf(configuration, "vision")),
    ...normParameters("vision.norm", vision.width),
    normalParameter("vision.projection", [embeddingWidth, vision.width], vision.width ** -0.5),
    normalParameter("text.embedding", [vocabularySize, text.width], 0.02),
    normalParameter("text.positions", [context, text.width], 0.01),
    ...encoderParameters("text", towerOf(configuration, "text")),
    ...normParameters("text.norm", text.width),
    normalParameter("text.projection", [embeddingWidth, text.width], text.width ** -0.5),
    // The inverse temperature starts at 1/0.07 and is kept at or below 100.
    {
      name: "logitScale",
      shape: [1],
      initialization: { kind: "constant", value: Math.log(1 / 0.07) },
      decay: false,
    },
  ];
}

class ClipModel implements ImageTextModel<ClipConfiguration> {
  readonly architecture = clip;
  readonly arena: ParameterArena;
  readonly logitScale: Parameter;

  constructor(
    engine: Engine,
    readonly configuration: ClipConfiguration,
  ) {
    this.arena = new ParameterArena(engine.backend, parameters(configuration), engine.use);
    this.logitScale = this.arena.get("logitScale");
  }

  embedImages(engine: Engine, batch: ImageBatch): Variable {
    const stream = this.imageStates(engine, batch);
    const length = stream.tensor.shape[0] / batch.images;
    const classRows = engine.constant(Int32Array.from({ length: batch.images }, (_, image) => image * length));
    return this.project(engine, stream, classRows, "vision");
  }

  imageStates(engine: Engine, batch: ImageBatch): Variable {
    const { arena, configuration } = this;
    const epsilon = configuration.normEpsilon;
    const { rows: patches, length } = embedPatches(engine, batch, configuration.vision.patchSize, {
      weight: arena.get("vision.patch"),
      positions: arena.get("vision.positions"),
      classToken: arena.get("vision.class"),
    });
    const norm = weightAndBias(arena, "vision.preNorm");
    const x = engine.run(layerNorm, { x: patches, ...norm }, { epsilon, type: "f32" }).out;
    const shape = { sequences: batch.images, length, causal: false };
    return runEncoder(engine, arena, "vision", towerOf(configuration, "vision"), x, shape);
  }

  embedTexts(engine: Engine, { sequences, length, tokens }: TextBatch): Variable {
    const { arena, configuration } = this;
    const table = arena.get("text.embedding");
    const x = engine.run(embedding, { table }, { ids: engine.constant(tokens) }).out;
    const placed = engine.run(addRows, { x, table: rowsOfParameter(arena.get("text.positions"), 0, length) }, {}).out;
    const shape = { sequences, length, causal: true };
    const stream = runEncoder(engine, arena, "text", towerOf(configuration, "text"), placed, shape);
    const ends = Int32Array.from({ length: sequences }, (_, text) => {
      const end = tokens.subarray(text * length, (text + 1) * length).indexOf(configuration.endOfText);
      if (end < 0)
        throw new TilthError(`text ${text} of the batch has no end-of-text token ${configuration.endOfText}`);
      return text * length + end;
    });
    return this.project(engine, stream, engine.constant(ends), "text");
  }

  /** Norm and projection of the rows that stand for a whole image or text. */
  private project(
    engine: Engine,
    x: Variable,
    rows: ReturnType<Engine["constant"]>,
    tower: "text" | "vision",
  ): Variable {
    const { arena, configuration } = this;
    const pooled = engine.run(gatherRows, { x }, { rows }).out;
    const epsilon = configuration.normEpsilon;
    const normed = engine.run(layerNorm, { x: pooled, ...weightAndBias(arena, `${tower}.norm`) }, { epsilon }).out;
    const projected = engine.run(linear, { x: normed, weight: arena.get(`${tower}.projection`) }, {}).out;
    return engine.run(l2Normalize, { x: projected }, {}).out;
  }

  dispose(): void {
    this.arena.dispose();
  }
}

function weights(configuration: ClipConfiguration): WeightMapping[] {
  const { vocabularySize, context, embeddingWidth, vision, text } = configuration;
  const images = "vision_model.embeddings";
  const texts = "text_model.embeddings";
  return [
    mapped("logit_scale", "logitScale", []),
    mapped(`${images}.class_embedding`, "vision.class", [vision.width]),
    mapped(`${images}.patch_embedding.weight`, "vision.patch", [vision.width, 3, vision.patchSize, vision.patchSize]),
    mapped(`${images}.position_embedding.weight`, "vision.positions", [patchesOf(configuration) + 1, vision.width]),
    // The spelling is theirs.
    ...mappedPair("vision_model.pre_layrnorm", "vision.preNorm", vision.width),
    ...encoderWeights("vision", "vision_model.encoder.layers", towerOf(configuration, "vision"), clipBlockNames),
    ...mappedPair("vision_model.post_layernorm", "vision.norm", vision.width),
    mapped("visual_projection.weight", "vision.projection", [embeddingWidth, vision.width]),
    mapped(`${texts}.token_embedding.weight`, "text.embedding", [vocabularySize, text.width]),
    mapped(`${texts}.position_embedding.weight`, "text.positions", [context, text.width]),
    ...encoderWeights("text", "text_model.encoder.layers", towerOf(configuration, "text"), clipBlockNames),
    ...mappedPair("text_model.final_layer_norm", "text.norm", text.width),
    mapped("text_projection.weight", "text.projection", [embeddingWidth, text.width]),
  ];
}

const theirTower = foreignTower(1e-5, "quick_gelu");

/** The keys of a Hugging Face `config.json` that decide what a CLIP computes; the defaults are transformers'. */
const huggingFaceConfiguration = z.looseObject({
  projection_dim: positiveInteger.default(512),
  text_config: theirTower.extend({
    vocab_size: positiveInteger.default(49_408),
    max_position_embeddings: positiveInteger.default(77),
    eos_token_id: z.number().int().nonnegative().default(49_407),
  }),
  vision_config: theirTower.extend({
    image_size: positiveInteger.default(224),
    patch_size: positiveInteger.default(32),
    num_channels: z.literal(3).default(3),
  }),
});

/** The CLIP architecture. */
export const clip: ImageTextArchitecture<ClipConfiguration> = {
  name: "clip",
  huggingFaceClass: "CLIPModel",
  schema: clipConfiguration,
  parameters,
  create: (engine, configuration) => new ClipModel(engine, configuration),
  weights,
  toHuggingFace: (one) => ({
    architectures: ["CLIPModel"],
    model_type: "clip",
    projection_dim: one.embeddingWidth,
    logit_scale_init_value: Math.log(1 / 0.07),
    text_config: {
      model_type: "clip_text_model",
      ...toForeignTower(towerOf(one, "text")),
      projection_dim: one.embeddingWidth,
      vocab_size: one.vocabularySize,
      max_position_embeddings: one.context,
      bos_token_id: one.endOfText,
      eos_token_id: one.endOfText,
      pad_token_id: one.endOfText,
    },
    vision_config: {
      model_type: "clip_vision_model",
      ...toForeignTower(towerOf(one, "vision")),
      projection_dim: one.embeddingWidth,
      image_size: one.vision.imageSize,
      patch_size: one.vision.patchSize,
      num_channels: 3,
    },
    torch_dtype: "float32",
  }),
  fromHuggingFace(config) {
    const one = foreignConfiguration(
      huggingFaceConfiguration,
      config,
      "Tilth reads CLIP configurations as transformers writes them.",
    );
    const { text_config: text, vision_config: vision, projection_dim } = one;
    requireEqualTowers(one, "hidden_act", "layer_norm_eps");
    return clipConfiguration.parse({
      vocabularySize: text.vocab_size,
      context: text.max_position_embeddings,
      // Early configurations say 2, and transformers then reads at the highest id, which is the last one.
      endOfText: text.eos_token_id === 2 ? text.vocab_size - 1 : text.eos_token_id,
      embeddingWidth: projection_dim,
      text: { width: text.hidden_size, ...fromForeignTower(text) },
      vision: {
        ...{ width: vision.hidden_size, ...fromForeignTower(vision) },
        ...{ imageSize: vision.image_size, patchSize: vision.patch_size },
      },
      activation: activationFrom(text.hidden_act),
      normEpsilon: text.layer_norm_eps,
    });
  },
  dimensions(configuration) {
    const { context, vocabularySize, endOfText, embeddingWidth, vision } = configuration;
    return {
      parameters: parameters(configuration).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      embeddingWidth,
      imageWidth: vision.width,
      imageSize: vision.imageSize,
      imageTokens: patchesOf(configuration) + 1,
      imagePatches: patchesOf(configuration),
      text: { context, vocabularySize, endOfText, padToContext: false },
      trainingFlopsPerPair: (textLength, patches = patchesOf(configuration)) =>
        towerFlops(towerOf(configuration, "vision"), patches + 1) +
        6 * patchesOf(configuration) * 3 * vision.patchSize ** 2 * vision.width +
        towerFlops(towerOf(configuration, "text"), textLength),
    };
  },
};
