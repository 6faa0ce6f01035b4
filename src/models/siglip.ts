/**
 * SigLIP (Zhai et al. 2023): a vision transformer without a class token, pooled by a learned query, and a bidirectional text
 * transformer read at its last position (texts are padded to the whole context). Trained by the sigmoid loss: a temperature
 * that starts at 10 and a bias that starts at −10.
 */
import { z } from "zod";
import {
  activation,
  add,
  addRows,
  crossAttention,
  type Engine,
  embedding,
  gatherRows,
  l2Normalize,
  layerNorm,
  linearWithBias,
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
  linearParameters,
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

/** Sizes of a SigLIP. Images in pixels, `context` in tokens. Both towers have one width, which is the embedding's too. */
export const siglipConfiguration = settingsObject("SigLIP", {
  vocabularySize: positiveInteger,
  /** Tokens that every text is padded to. */
  context: positiveInteger.default(64),
  /** The token that ends a text and fills up the rest. */
  endOfText: z.number().int().nonnegative(),
  width: positiveInteger,
  text: settingsObject("text tower", towerSettings),
  vision: settingsObject("vision tower", {
    ...towerSettings,
    ...imageSettings,
  }).refine(wholePatches, wholePatchesMessage),
  activation: towerActivations.default("gelu-tanh"),
  normEpsilon: z.number().positive().default(1e-6),
}).refine(({ width, text, vision }) => width % text.attentionHeads === 0 && width % vision.attentionHeads === 0, {
  message: "width must be a multiple of both towers' attentionHeads",
});

export type SiglipConfiguration = z.infer<typeof siglipConfiguration>;

const towerOf = (configuration: SiglipConfiguration, which: "text" | "vision"): EncoderSizes => {
  const { width, normEpsilon, activation: kind } = configuration;
  const { layers, attentionHeads, mlpWidth = 4 * width } = configuration[which];
  return { width, layers, attentionHeads, mlpWidth, normEpsilon, activation: kind };
};

const patchesOf = ({ vision }: SiglipConfiguration) => (vision.imageSize / vision.patchSize) ** 2;

function parameters(configuration: SiglipConfiguration): ParameterSpecification[] {
  const { vocabularySize, context, width, vision } = configuration;
  const patch = 3 * vision.patchSize ** 2;
  const deviation = width ** -0.5;
  const { mlpWidth } = towerOf(configuration, "vision");
  const constant = (name: string, value: number): ParameterSpecification => ({
    name,
    shape: [1],
    initialization: { kind: "constant", value },
    decay: false,
  });
  return [
    normalParameter("vision.patch.weight", [width, patch], patch ** -0.5),
    normalParameter("vision.patch.bias", [width], 0),
    normalParameter("vision.positions", [patchesOf(configuration), width], deviation),
    ...encoderParameters("vision", towerOf(configuration, "vision")),
    ...normParameters("vision.norm", width),
    normalParameter("vision.pool.probe", [1, width], deviation),
    ...linearParameters("vision.pool.queryKeyValue", 3 * width, width, deviation, [width, width, width]),
    ...linearParameters("vision.pool.output", width, width, deviation),
    ...normParameters("vision.pool.norm", width),
    ...linearParameters("vision.pool.up", mlpWidth, width, (2 * width) ** -0.5),
    ...linearParameters("vision.pool.down", width, mlpWidth, deviation),
    normalParameter("text.embedding", [vocabularySize, width], deviation),
    normalParameter("text.positions", [context, width], deviation),
    ...encoderParameters("text", towerOf(configuration, "text")),
    ...normParameters("text.norm", width),
    ...linearParameters("text.head", width, width, deviation),
    constant("logitScale", Math.log(10)),
    constant("logitBias", -10),
  ];
}

class SiglipModel implements ImageTextModel<SiglipConfiguration> {
  readonly architecture = siglip;
  readonly arena: ParameterArena;
  readonly logitScale: Parameter;
  readonly logitBias: Parameter;

  constructor(
    engine: Engine,
    readonly configuration: SiglipConfiguration,
  ) {
    this.arena = new ParameterArena(engine.backend, parameters(configuration), engine.use);
    this.logitScale = this.arena.get("logitScale");
    this.logitBias = this.arena.get("logitBias");
  }

  embedImages(engine: Engine, batch: ImageBatch): Variable {
    const { arena, configuration } = this;
    const { rows: x, length } = embedPatches(engine, batch, configuration.vision.patchSize, {
      ...weightAndBias(arena, "vision.patch"),
      positions: arena.get("vision.positions"),
    });
    const shape = { sequences: batch.images, length, causal: false };
    const stream = runEncoder(engine, arena, "vision", towerOf(configuration, "vision"), x, shape);
    const pooled = this.pool(engine, this.norm(engine, stream, "vision.norm"), batch.images, length);
    return engine.run(l2Normalize, { x: pooled }, {}).out;
  }

  /** Attention pooling (Lee et al. 2019): one learned query looks at all patches, then an MLP with a residual. */
  private pool(engine: Engine, patches: Variable, images: number, keyLength: number): Variable {
    const { configuration } = this;
    const { attentionHeads: heads } = configuration.vision;
    const headSize = configuration.width / heads;
    const shape = {
      ...{ sequences: images, queryLength: 1, keyLength, heads, keyValueHeads: heads },
      ...{ headSize, scale: 1 / Math.sqrt(headSize), causal: false },
    };
    const { width } = configuration;
    const packed = weightAndBias(this.arena, "vision.pool.queryKeyValue");
    const part = (x: Variable, start: number, count: number) => {
      const [weight, bias] = [packed.weight, packed.bias].map((one) => rowsOfParameter(one, start, count));
      return engine.run(linearWithBias, { x, weight, bias }, {}).out;
    };
    const probe = part(this.arena.get("vision.pool.probe"), 0, width);
    // Every image is asked the same.
    const query = engine.run(gatherRows, { x: probe }, { rows: engine.constant(new Int32Array(images)) }).out;
    const keyValue = part(patches, width, 2 * width);
    const attended = engine.run(crossAttention, { query, keyValue }, { shape }).out;
    const mixed = this.linear(engine, attended, "vision.pool.output");
    const up = this.linear(engine, this.norm(engine, mixed, "vision.pool.norm"), "vision.pool.up");
    const activated = engine.run(activation, { x: up }, { kind: configuration.activation }).out;
    return engine.run(add, { a: this.linear(engine, activated, "vision.pool.down"), b: mixed }, {}).out;
  }

  embedTexts(engine: Engine, { sequences, length, tokens }: TextBatch): Variable {
    const { arena, configuration } = this;
    if (length !== configuration.context) {
      throw new TilthError(`a SigLIP reads texts padded to ${configuration.context} tokens, not ${length}`);
    }
    const table = arena.get("text.embedding");
    const x = engine.run(embedding, { table }, { ids: engine.constant(tokens) }).out;
    const placed = engine.run(addRows, { x, table: rowsOfParameter(arena.get("text.positions"), 0, length) }, {}).out;
    const shape = { sequences, length, causal: false };
    const stream = runEncoder(engine, arena, "text", towerOf(configuration, "text"), placed, shape);
    const rows = engine.constant(Int32Array.from({ length: sequences }, (_, text) => (text + 1) * length - 1));
    const last = engine.run(gatherRows, { x: stream }, { rows }).out;
    const projected = this.linear(engine, this.norm(engine, last, "text.norm"), "text.head");
    return engine.run(l2Normalize, { x: projected }, {}).out;
  }

  private linear(engine: Engine, x: Variable, name: string): Variable {
    return engine.run(linearWithBias, { x, ...weightAndBias(this.arena, name) }, {}).out;
  }

  private norm(engine: Engine, x: Variable, name: string): Variable {
    const epsilon = this.configuration.normEpsilon;
    return engine.run(layerNorm, { x, ...weightAndBias(this.arena, name) }, { epsilon }).out;
  }

  dispose(): void {
    this.arena.dispose();
  }
}

function weights(configuration: SiglipConfiguration): WeightMapping[] {
  const { vocabularySize, context, width, vision } = configuration;
  const { mlpWidth } = towerOf(configuration, "vision");
  const [images, texts, head] = ["vision_model.embeddings", "text_model.embeddings", "vision_model.head"];
  return [
    mapped("logit_scale", "logitScale", [1]),
    mapped("logit_bias", "logitBias", [1]),
    mapped(`${images}.patch_embedding.weight`, "vision.patch.weight", [width, 3, vision.patchSize, vision.patchSize]),
    mapped(`${images}.patch_embedding.bias`, "vision.patch.bias", [width]),
    mapped(`${images}.position_embedding.weight`, "vision.positions", [patchesOf(configuration), width]),
    ...encoderWeights("vision", "vision_model.encoder.layers", towerOf(configuration, "vision"), clipBlockNames),
    ...mappedPair("vision_model.post_layernorm", "vision.norm", width),
    mapped(`${head}.probe`, "vision.pool.probe", [1, 1, width]),
    mapped(`${head}.attention.in_proj_weight`, "vision.pool.queryKeyValue.weight", [3 * width, width]),
    mapped(`${head}.attention.in_proj_bias`, "vision.pool.queryKeyValue.bias", [3 * width]),
    ...mappedPair(`${head}.attention.out_proj`, "vision.pool.output", width, width),
    ...mappedPair(`${head}.layernorm`, "vision.pool.norm", width),
    ...mappedPair(`${head}.mlp.fc1`, "vision.pool.up", mlpWidth, width),
    ...mappedPair(`${head}.mlp.fc2`, "vision.pool.down", width, mlpWidth),
    mapped(`${texts}.token_embedding.weight`, "text.embedding", [vocabularySize, width]),
    mapped(`${texts}.position_embedding.weight`, "text.positions", [context, width]),
    ...encoderWeights("text", "text_model.encoder.layers", towerOf(configuration, "text"), clipBlockNames),
    ...mappedPair("text_model.final_layer_norm", "text.norm", width),
    ...mappedPair("text_model.head", "text.head", width, width),
  ];
}

const theirTower = foreignTower(1e-6, "gelu_pytorch_tanh");

/** The keys of a Hugging Face `config.json` that decide what a SigLIP computes; the defaults are transformers'. */
const huggingFaceConfiguration = z.looseObject({
  text_config: theirTower.extend({
    vocab_size: positiveInteger.default(32_000),
    max_position_embeddings: positiveInteger.default(64),
    /** What fills up a text: 1, `</s>`, in Google's. */
    pad_token_id: z.number().int().nonnegative().default(1),
    projection_size: positiveInteger.optional(),
  }),
  vision_config: theirTower.extend({
    image_size: positiveInteger.default(224),
    patch_size: positiveInteger.default(16),
    num_channels: z.literal(3).default(3),
    vision_use_head: z.literal(true).default(true),
  }),
});

/** The SigLIP architecture. */
export const siglip: ImageTextArchitecture<SiglipConfiguration> = {
  name: "siglip",
  huggingFaceClass: "SiglipModel",
  schema: siglipConfiguration,
  parameters,
  create: (engine, configuration) => new SiglipModel(engine, configuration),
  weights,
  toHuggingFace: (one) => ({
    architectures: ["SiglipModel"],
    model_type: "siglip",
    text_config: {
      model_type: "siglip_text_model",
      ...toForeignTower(towerOf(one, "text")),
      vocab_size: one.vocabularySize,
      max_position_embeddings: one.context,
      projection_size: one.width,
      bos_token_id: one.endOfText,
      eos_token_id: one.endOfText,
      pad_token_id: one.endOfText,
    },
    vision_config: {
      model_type: "siglip_vision_model",
      ...toForeignTower(towerOf(one, "vision")),
      image_size: one.vision.imageSize,
      patch_size: one.vision.patchSize,
      num_channels: 3,
      vision_use_head: true,
    },
    torch_dtype: "float32",
  }),
  fromHuggingFace(config) {
    const one = foreignConfiguration(
      huggingFaceConfiguration,
      config,
      "Tilth reads SigLIP configurations as transformers writes them.",
    );
    const { text_config: text, vision_config: vision } = one;
    requireEqualTowers(one, "hidden_act", "layer_norm_eps", "hidden_size");
    if (text.projection_size !== undefined && text.projection_size !== text.hidden_size) {
      throw new TilthError(`config.json: text_config.projection_size is ${text.projection_size}, not the hidden size`);
    }
    return siglipConfiguration.parse({
      vocabularySize: text.vocab_size,
      context: text.max_position_embeddings,
      endOfText: text.pad_token_id,
      width: text.hidden_size,
      text: fromForeignTower(text),
      vision: { ...fromForeignTower(vision), imageSize: vision.image_size, patchSize: vision.patch_size },
      activation: activationFrom(text.hidden_act),
      normEpsilon: text.layer_norm_eps,
    });
  },
  dimensions(configuration) {
    const { context, vocabularySize, endOfText, width, vision } = configuration;
    return {
      parameters: parameters(configuration).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      embeddingWidth: width,
      imageWidth: width,
      imageSize: vision.imageSize,
      imageTokens: patchesOf(configuration),
      imagePatches: patchesOf(configuration),
      text: { context, vocabularySize, endOfText, padToContext: true },
      trainingFlopsPerPair: (textLength, patches = patchesOf(configuration)) =>
        towerFlops(towerOf(configuration, "vision"), patches) +
        6 * patchesOf(configuration) * 3 * vision.patchSize ** 2 * width +
        // Keys and values of the pooling head.
        12 * patches * width ** 2 +
        towerFlops(towerOf(configuration, "text"), textLength),
    };
  },
};
