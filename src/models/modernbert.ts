/**
 * ModernBERT (Warner et al. 2024): encoder with rotary positions, norms before the blocks (the first block has none before its
 * attention), gated MLP, no biases but the head's; every third layer sees the whole text, the others a window around each
 * token. The gate is the published checkpoints' exact GELU, or SiLU.
 */
import { z } from "zod";
import {
  activation,
  attention,
  type ElementType,
  type Engine,
  embedding,
  geglu,
  layerNorm,
  linear,
  ParameterArena,
  type ParameterSpecification,
  residualLayerNorm,
  rope,
  type Storage,
  swiglu,
  type Tensor,
  tensorOver,
  type Variable,
} from "../engine/index.ts";
import { positiveInteger, settingsObject, TilthError } from "../foundation/index.ts";
import { bertDimensions } from "./bert.ts";
import { mapped, normalParameter } from "./encoder.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import {
  type Architecture,
  type HiddenStates,
  type LanguageModel,
  type TokenBatch,
  type WeightMapping,
  wantedRows,
} from "./model.ts";
import { runPreNormBlocks } from "./pre-norm-blocks.ts";
import { ropeAngles, rotaryFrequencies } from "./rope-angles.ts";

/** Sizes of a ModernBERT. Widths in elements, `context` and `localAttention` in tokens. */
export const modernBertConfiguration = settingsObject("ModernBERT", {
  vocabularySize: positiveInteger,
  width: positiveInteger,
  layers: positiveInteger.max(4096),
  attentionHeads: positiveInteger,
  /** One and a half times the width if left out, as in the published sizes. */
  mlpWidth: positiveInteger.optional(),
  /** Longest sequence in tokens. */
  context: positiveInteger,
  /** Tokens that a token sees in a local layer: half of them before it, half behind. */
  localAttention: positiveInteger.multipleOf(2).default(128),
  /** Layers 0, n, 2n, … see the whole text. */
  globalEvery: positiveInteger.default(3),
  globalRopeTheta: z.number().positive().default(160_000),
  localRopeTheta: z.number().positive().default(10_000),
  /** What opens the gates of the MLP. */
  activation: z.enum(["gelu", "silu"]).default("gelu"),
  normEpsilon: z.number().positive().default(1e-5),
  initializerStandardDeviation: z.number().positive().default(0.02),
})
  .transform((one) => ({ ...one, mlpWidth: one.mlpWidth ?? Math.round(one.width * 1.5) }))
  .refine((one) => one.width % (2 * one.attentionHeads) === 0, {
    message: "width must be an even multiple of attentionHeads",
  });

export type ModernBertConfiguration = z.infer<typeof modernBertConfiguration>;

function parameters(one: ModernBertConfiguration): ParameterSpecification[] {
  const { vocabularySize, width, layers, mlpWidth, initializerStandardDeviation: deviation } = one;
  const norm = (name: string): ParameterSpecification => ({
    name,
    shape: [width],
    initialization: { kind: "constant", value: 1 },
    decay: false,
  });
  const residual = deviation / Math.sqrt(2 * layers);
  return [
    normalParameter("embedding", [vocabularySize, width], deviation),
    norm("embeddingNorm"),
    ...Array.from({ length: layers }, (_, index) => [
      ...(index === 0 ? [] : [norm(`layers.${index}.attentionNorm`)]),
      normalParameter(`layers.${index}.queryKeyValue`, [3 * width, width], deviation, [width, width, width]),
      normalParameter(`layers.${index}.attentionOutput`, [width, width], residual, [width]),
      norm(`layers.${index}.mlpNorm`),
      normalParameter(`layers.${index}.gateUp`, [2 * mlpWidth, width], deviation, [mlpWidth, mlpWidth]),
      normalParameter(`layers.${index}.down`, [width, mlpWidth], residual, [width]),
    ]).flat(),
    norm("norm"),
    normalParameter("transform", [width, width], residual, [width]),
    norm("transformNorm"),
    normalParameter("headBias", [vocabularySize], 0),
  ];
}

/** What the layers of one kind, global or local, share. */
interface LayerKind {
  readonly ropeTable: Tensor;
  /** Tokens to either side that are seen; all if left out. */
  readonly reach?: number;
}

class ModernBertModel implements LanguageModel<ModernBertConfiguration> {
  readonly arena: ParameterArena;
  private readonly storages: readonly Storage[];
  private readonly kinds: { readonly global: LayerKind; readonly local: LayerKind };
  /** LayerNorm without a bias is LayerNorm with one of zeros that nothing trains. */
  private readonly noBias: Variable;

  constructor(
    engine: Engine,
    readonly configuration: ModernBertConfiguration,
    readonly architecture: Architecture<ModernBertConfiguration>,
  ) {
    const { backend } = engine;
    const { context, width, attentionHeads, globalRopeTheta, localRopeTheta, localAttention } = configuration;
    this.arena = new ParameterArena(backend, architecture.parameters(configuration), engine.use);
    const headSize = width / attentionHeads;
    this.storages = [context * headSize, context * headSize, width].map((count) => backend.allocate(count * 4));
    const [global, local] = [globalRopeTheta, localRopeTheta].map((theta, index) => {
      const table = tensorOver(this.storages[index], [context, headSize]);
      backend.write(table, ropeAngles(rotaryFrequencies(theta, headSize), context));
      return table;
    });
    this.kinds = { global: { ropeTable: global }, local: { ropeTable: local, reach: localAttention / 2 } };
    this.noBias = { tensor: tensorOver(this.storages[2], [width]), requiresGradient: false };
    backend.write(this.noBias.tensor, new Float32Array(width));
  }

  encode(engine: Engine, batch: TokenBatch): Variable {
    const { layers, globalEvery } = this.configuration;
    const gate = this.configuration.activation === "gelu" ? geglu : swiglu;
    const [global, local] = [this.attentionOf(engine, batch, "global"), this.attentionOf(engine, batch, "local")];
    const kindOf = (layer: number) => (layer % globalEvery === 0 ? global : local);
    const words = engine.run(
      embedding,
      { table: this.arena.get("embedding") },
      { ids: engine.constant(batch.tokens) },
    ).out;
    const stream = this.norm(engine, words, "embeddingNorm", "f32");
    const last = runPreNormBlocks(engine, stream, {
      layers,
      // The embeddings have a norm of their own.
      norm: (before, layer, branch) =>
        before.delta === undefined
          ? { sum: before.stream, out: before.stream }
          : this.addAndNorm(engine, before.stream, before.delta, `layers.${layer}.${branch}Norm`),
      linear: (x, layer, part) =>
        part === "queryKeyValue"
          ? kindOf(layer).rotate(this.linear(engine, x, `layers.${layer}.${part}`))
          : this.linear(engine, x, `layers.${layer}.${part === "up" ? "gateUp" : part}`),
      attend: (packed, layer) => kindOf(layer).attend(packed),
      activate: (gateUp) => engine.run(gate, { gateUp }, {}).out,
    });
    // With at least one layer there is a delta.
    return this.addAndNorm(engine, last.stream, last.delta!, "norm").out;
  }

  forward(engine: Engine, batch: TokenBatch): HiddenStates {
    const encoded = this.encode(engine, batch);
    const wanted = batch.rows === undefined ? encoded : wantedRows(engine, encoded, batch.rows);
    const hidden = this.transform(engine, wanted);
    return { hidden, head: this.arena.get("embedding"), headBias: this.arena.get("headBias") };
  }

  transform(engine: Engine, x: Variable): Variable {
    const transformed = engine.run(activation, { x: this.linear(engine, x, "transform") }, { kind: "gelu" }).out;
    return this.norm(engine, transformed, "transformNorm");
  }

  createCache(): never {
    throw new TilthError(`${this.architecture.name} is an encoder: it does not write text`, {
      remedy: "Its representations come from: tilth embed",
    });
  }

  forwardCached(): never {
    return this.createCache();
  }

  dispose(): void {
    this.arena.dispose();
    for (const storage of this.storages) this.arena.backend.release(storage);
  }

  /** Rotation and attention of one kind of layer on packed rows of that batch. */
  private attentionOf(engine: Engine, batch: TokenBatch, kind: "global" | "local") {
    const { sequences, length, tokens } = batch;
    const { attentionHeads: heads, width } = this.configuration;
    const { ropeTable: table, reach } = this.kinds[kind];
    const headSize = width / heads;
    const shape = {
      ...{ sequences, queryLength: length, keyLength: length, heads, keyValueHeads: heads, headSize },
      ...{ scale: 1 / Math.sqrt(headSize), causal: false },
    };
    const positions = engine.constant(Int32Array.from(tokens, (_, i) => i % length));
    const windowed = reach !== undefined && reach < length - 1;
    const from = (i: number) => Math.max(batch.visibleFrom?.[i] ?? 0, windowed ? (i % length) - reach : 0);
    const to = (i: number) => Math.min(batch.visibleTo?.[i] ?? length, windowed ? (i % length) + reach + 1 : length);
    const mask = (windowed || batch.visibleFrom !== undefined) && {
      visibleFrom: engine.constant(Int32Array.from(tokens, (_, i) => from(i))),
      // Padding sees what ends before it: nothing but itself, since no row may be empty.
      visibleTo: engine.constant(Int32Array.from(tokens, (_, i) => Math.max(to(i), from(i) + 1))),
    };
    return {
      rotate: (x: Variable) => engine.run(rope, { x }, { table, positions, heads: 2 * heads, headSize }).out,
      attend: (packed: Variable) => engine.run(attention, { packed }, { shape, ...mask }).out,
    };
  }

  private linear(engine: Engine, x: Variable, name: string): Variable {
    return engine.run(linear, { x, weight: this.arena.get(name) }, {}).out;
  }

  private norm(engine: Engine, x: Variable, name: string, type?: ElementType): Variable {
    const { normEpsilon: epsilon } = this.configuration;
    return engine.run(layerNorm, { x, weight: this.arena.get(name), bias: this.noBias }, { epsilon, type }).out;
  }

  private addAndNorm(engine: Engine, x: Variable, delta: Variable, name: string) {
    const norm = { weight: this.arena.get(name), bias: this.noBias };
    return engine.run(residualLayerNorm, { x, delta, ...norm }, { epsilon: this.configuration.normEpsilon });
  }
}

function weights({ vocabularySize, width, layers, mlpWidth }: ModernBertConfiguration): WeightMapping[] {
  return [
    mapped("model.embeddings.tok_embeddings.weight", "embedding", [vocabularySize, width]),
    mapped("model.embeddings.norm.weight", "embeddingNorm", [width]),
    ...Array.from({ length: layers }, (_, index) => {
      const [ours, theirs] = [`layers.${index}`, `model.layers.${index}`];
      return [
        ...(index === 0 ? [] : [mapped(`${theirs}.attn_norm.weight`, `${ours}.attentionNorm`, [width])]),
        mapped(`${theirs}.attn.Wqkv.weight`, `${ours}.queryKeyValue`, [3 * width, width]),
        mapped(`${theirs}.attn.Wo.weight`, `${ours}.attentionOutput`, [width, width]),
        mapped(`${theirs}.mlp_norm.weight`, `${ours}.mlpNorm`, [width]),
        mapped(`${theirs}.mlp.Wi.weight`, `${ours}.gateUp`, [2 * mlpWidth, width]),
        mapped(`${theirs}.mlp.Wo.weight`, `${ours}.down`, [width, mlpWidth]),
      ];
    }).flat(),
    mapped("model.final_norm.weight", "norm", [width]),
    mapped("head.dense.weight", "transform", [width, width]),
    mapped("head.norm.weight", "transformNorm", [width]),
    mapped("decoder.bias", "headBias", [vocabularySize]),
  ];
}

const rotation = z.looseObject({
  rope_type: z.literal("default").default("default"),
  rope_theta: z.number().positive(),
});
const noBias = z.literal(false).default(false);

/** Keys of a `config.json` that decide what a ModernBERT computes, in both forms that transformers has written. */
const huggingFaceConfiguration = z.looseObject({
  vocab_size: positiveInteger,
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  intermediate_size: positiveInteger,
  max_position_embeddings: positiveInteger,
  norm_eps: z.number().positive().default(1e-5),
  hidden_activation: z.enum(["gelu", "silu"]).default("gelu"),
  classifier_activation: z.literal("gelu").default("gelu"),
  norm_bias: noBias,
  attention_bias: noBias,
  mlp_bias: noBias,
  classifier_bias: noBias,
  decoder_bias: z.literal(true).default(true),
  tie_word_embeddings: z.literal(true).default(true),
  local_attention: positiveInteger.multipleOf(2).default(128),
  global_attn_every_n_layers: positiveInteger.optional(),
  layer_types: z.array(z.enum(["full_attention", "sliding_attention"])).optional(),
  rope_parameters: z.looseObject({ full_attention: rotation, sliding_attention: rotation }).nullish(),
  global_rope_theta: z.number().positive().default(160_000),
  local_rope_theta: z.number().positive().default(10_000),
  initializer_range: z.number().positive().default(0.02),
});

const layerTypes = (layers: number, every: number) =>
  Array.from({ length: layers }, (_, index) => (index % every === 0 ? "full_attention" : "sliding_attention"));

/** Every how many layers one is global. Throws TilthError for a pattern that is not regular. */
function globalEvery({ layer_types: types, ...one }: z.infer<typeof huggingFaceConfiguration>): number {
  if (types === undefined) return one.global_attn_every_n_layers ?? 3;
  const second = types.indexOf("full_attention", 1);
  const every = second === -1 ? Math.max(types.length, one.global_attn_every_n_layers ?? 3) : second;
  if (types.join() === layerTypes(one.num_hidden_layers, every).join()) return every;
  throw new TilthError(`config.json: "layer_types" is ${types.join(", ")}: not every n-th layer sees the whole text`, {
    remedy: "Tilth reads ModernBERTs whose first and then every n-th layer is full_attention.",
  });
}

/** The ModernBERT architecture. */
export const modernBert: Architecture<ModernBertConfiguration> = {
  name: "modernbert",
  family: "encoder",
  huggingFaceClass: "ModernBertForMaskedLM",
  schema: modernBertConfiguration,
  parameters,
  create: (engine, one) => new ModernBertModel(engine, one, modernBert),
  weights,
  isRedundant: (name) => name === "decoder.weight",
  toHuggingFace: (one) => ({
    architectures: ["ModernBertForMaskedLM"],
    model_type: "modernbert",
    vocab_size: one.vocabularySize,
    hidden_size: one.width,
    num_hidden_layers: one.layers,
    num_attention_heads: one.attentionHeads,
    intermediate_size: one.mlpWidth,
    max_position_embeddings: one.context,
    norm_eps: one.normEpsilon,
    norm_bias: false,
    hidden_activation: one.activation,
    classifier_activation: "gelu",
    classifier_bias: false,
    attention_bias: false,
    mlp_bias: false,
    decoder_bias: true,
    tie_word_embeddings: true,
    local_attention: one.localAttention,
    global_attn_every_n_layers: one.globalEvery,
    layer_types: layerTypes(one.layers, one.globalEvery),
    rope_parameters: {
      full_attention: { rope_type: "default", rope_theta: one.globalRopeTheta },
      sliding_attention: { rope_type: "default", rope_theta: one.localRopeTheta },
    },
    global_rope_theta: one.globalRopeTheta,
    local_rope_theta: one.localRopeTheta,
    initializer_range: one.initializerStandardDeviation,
    torch_dtype: "float32",
  }),
  fromHuggingFace(config) {
    const one = foreignConfiguration(
      huggingFaceConfiguration,
      config,
      "Tilth reads ModernBERTs whose gates are GELU or SiLU, without biases but the decoder's, and with a tied head.",
    );
    return modernBertConfiguration.parse({
      vocabularySize: one.vocab_size,
      width: one.hidden_size,
      layers: one.num_hidden_layers,
      attentionHeads: one.num_attention_heads,
      mlpWidth: one.intermediate_size,
      context: one.max_position_embeddings,
      localAttention: one.local_attention,
      globalEvery: globalEvery(one),
      globalRopeTheta: one.rope_parameters?.full_attention.rope_theta ?? one.global_rope_theta,
      localRopeTheta: one.rope_parameters?.sliding_attention.rope_theta ?? one.local_rope_theta,
      activation: one.hidden_activation,
      normEpsilon: one.norm_eps,
      initializerStandardDeviation: one.initializer_range,
    });
  },
  dimensions: (one) => bertDimensions(one, parameters(one)),
};
