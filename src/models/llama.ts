/**
 * Llama (Touvron et al. 2023): pre-norm decoder with RMSNorm, rotary positions, grouped-query attention and SwiGLU, no
 * biases. Differs from the paper in nothing; query/key/value and gate/up are stored as one matrix each, whose row blocks
 * are Hugging Face's separate tensors. Its relatives (Qwen 2 and 3, Mistral) are variants of it in files of their own.
 */
import { z } from "zod";
import {
  type AttentionShape,
  attention,
  type Engine,
  embedding,
  headNorm,
  linear,
  linearWithBias,
  ParameterArena,
  type ParameterSpecification,
  residualRmsNorm,
  rmsNorm,
  rope,
  swiglu,
  type Tensor,
  type Variable,
} from "../engine/index.ts";
import { positiveInteger, settingsObject, TilthError } from "../foundation/index.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import { type CachedSpan, type CacheOptions, KeyValueCache } from "./key-value-cache.ts";
import {
  type Architecture,
  type HiddenStates,
  type LanguageModel,
  type TokenBatch,
  type WeightMapping,
  wantedRows,
} from "./model.ts";
import { runPreNormBlocks, type Stream } from "./pre-norm-blocks.ts";
import {
  extendedRope,
  huggingFaceRope,
  ropeScaling,
  ropeScalingOfHuggingFace,
  ropeScalingToHuggingFace,
} from "./rope-scaling.ts";
import { RopeTable } from "./rope-table.ts";

/** Sizes of a Llama. Widths in elements, `context` in tokens. */
export const llamaConfiguration = settingsObject("Llama", {
  vocabularySize: positiveInteger,
  width: positiveInteger,
  layers: positiveInteger.max(4096),
  attentionHeads: positiveInteger,
  /** As many as there are attention heads if left out. */
  keyValueHeads: positiveInteger.optional(),
  /** width / attentionHeads if left out. */
  headSize: positiveInteger.multipleOf(2).optional(),
  /** Some 8/3 of the width if left out: as many parameters as a plain MLP of four times the width (Shazeer 2020). */
  mlpWidth: positiveInteger.optional(),
  context: positiveInteger,
  ropeTheta: z.number().positive().default(10_000),
  /** How far positions beyond the context first trained on turn; as they always did if left out. */
  ropeScaling: ropeScaling.optional(),
  /** Tokens that each sees, itself included (Mistral); all before it if left out. */
  slidingWindow: positiveInteger.optional(),
  normEpsilon: z.number().positive().default(1e-5),
  tiedEmbeddings: z.boolean().default(true),
  initializerStandardDeviation: z.number().positive().default(0.02),
})
  .transform((one) => ({
    ...one,
    keyValueHeads: one.keyValueHeads ?? one.attentionHeads,
    headSize: one.headSize ?? one.width / one.attentionHeads,
    mlpWidth: one.mlpWidth ?? Math.round((one.width * 8) / 3 / 16) * 16,
  }))
  .refine((one) => one.headSize % 2 === 0, {
    message: "width must be an even multiple of attentionHeads, or headSize be given",
  })
  .refine((one) => one.attentionHeads % one.keyValueHeads === 0, {
    message: "attentionHeads must be a multiple of keyValueHeads",
  });

export type LlamaConfiguration = z.infer<typeof llamaConfiguration>;

/** What a relative of Llama has or names otherwise. */
export interface LlamaVariant {
  readonly name: string;
  readonly huggingFaceClass: string;
  /** Biases of query, key and value (Qwen 2). */
  readonly queryKeyValueBias?: boolean;
  /** RMS norm of every query and key head before rotation (Qwen 3). */
  readonly headNorms?: boolean;
  /** Whether `slidingWindow` may be set (Mistral). */
  readonly slidingWindow?: boolean;
}

interface LlamaLayer {
  readonly attentionNorm: Variable;
  readonly queryKeyValue: Variable;
  readonly queryKeyValueBias?: Variable;
  readonly headNorms?: { readonly queryWeight: Variable; readonly keyWeight: Variable };
  readonly attentionOutput: Variable;
  readonly mlpNorm: Variable;
  readonly gateUp: Variable;
  readonly down: Variable;
}

function parameters(configuration: LlamaConfiguration, variant: LlamaVariant): ParameterSpecification[] {
  const { vocabularySize, width, layers, attentionHeads, keyValueHeads, headSize, mlpWidth } = configuration;
  const { initializerStandardDeviation: deviation } = configuration;
  const table = (name: string): ParameterSpecification => ({
    name,
    shape: [vocabularySize, width],
    initialization: { kind: "normal", standardDeviation: deviation },
    decay: true,
  });
  const matrix = (
    name: string,
    hiddenRows: readonly number[],
    columns: number,
    standardDeviation = deviation,
  ): ParameterSpecification => ({
    name,
    shape: [hiddenRows.reduce((a, b) => a + b), columns],
    initialization: { kind: "normal", standardDeviation },
    decay: true,
    hiddenRows,
  });
  const vector = (name: string, length: number, value: number): ParameterSpecification => ({
    name,
    shape: [length],
    initialization: { kind: "constant", value },
    decay: false,
  });
  const norm = (name: string) => vector(name, width, 1);
  // Residual projections start smaller, so that the stream's variance does not grow with depth (GPT-2).
  const [queryRows, keyRows] = [attentionHeads * headSize, keyValueHeads * headSize];
  const residual = deviation / Math.sqrt(2 * layers);
  const blocks = Array.from({ length: layers }, (_, index) => [
    norm(`layers.${index}.attentionNorm`),
    matrix(`layers.${index}.queryKeyValue`, [queryRows, keyRows, keyRows], width),
    ...(variant.queryKeyValueBias ? [vector(`layers.${index}.queryKeyValueBias`, queryRows + 2 * keyRows, 0)] : []),
    ...(variant.headNorms
      ? [vector(`layers.${index}.queryNorm`, headSize, 1), vector(`layers.${index}.keyNorm`, headSize, 1)]
      : []),
    matrix(`layers.${index}.attentionOutput`, [width], queryRows, residual),
    norm(`layers.${index}.mlpNorm`),
    matrix(`layers.${index}.gateUp`, [mlpWidth, mlpWidth], width),
    matrix(`layers.${index}.down`, [width], mlpWidth, residual),
  ]);
  const head = configuration.tiedEmbeddings ? [] : [table("head")];
  return [table("embedding"), ...blocks.flat(), norm("norm"), ...head];
}

class LlamaModel implements LanguageModel<LlamaConfiguration> {
  readonly arena: ParameterArena;
  private readonly layers: LlamaLayer[];
  private readonly rotations: RopeTable;

  constructor(
    engine: Engine,
    readonly configuration: LlamaConfiguration,
    readonly architecture: Architecture<LlamaConfiguration>,
    variant: LlamaVariant,
  ) {
    this.arena = new ParameterArena(engine.backend, parameters(configuration, variant), engine.use);
    this.layers = Array.from({ length: configuration.layers }, (_, index) => ({
      attentionNorm: this.arena.get(`layers.${index}.attentionNorm`),
      queryKeyValue: this.arena.get(`layers.${index}.queryKeyValue`),
      ...(variant.queryKeyValueBias && { queryKeyValueBias: this.arena.get(`layers.${index}.queryKeyValueBias`) }),
      ...(variant.headNorms && {
        headNorms: {
          queryWeight: this.arena.get(`layers.${index}.queryNorm`),
          keyWeight: this.arena.get(`layers.${index}.keyNorm`),
        },
      }),
      attentionOutput: this.arena.get(`layers.${index}.attentionOutput`),
      mlpNorm: this.arena.get(`layers.${index}.mlpNorm`),
      gateUp: this.arena.get(`layers.${index}.gateUp`),
      down: this.arena.get(`layers.${index}.down`),
    }));
    this.rotations = new RopeTable(engine.backend, configuration);
  }

  forward(engine: Engine, batch: TokenBatch): HiddenStates {
    const { sequences, length } = batch;
    const positions = engine.constant(Int32Array.from(batch.tokens, (_, index) => index % length));
    // What a token sees is all in `visibleTo`, where that is given: the prefix of a prefix language model sees itself both ways.
    const causal = batch.visibleTo === undefined;
    const shape = { ...this.attentionShape(sequences, length, length), causal };
    const visibleFrom = this.windowed(batch);
    const mask = visibleFrom && {
      visibleFrom: engine.constant(visibleFrom),
      visibleTo: engine.constant(batch.visibleTo ?? new Int32Array(batch.tokens.length).fill(length)),
    };
    const states = this.decode(
      engine,
      batch.tokens,
      { positions, table: this.rotations.at(length) },
      (packed) => engine.run(attention, { packed }, { shape, ...mask }).out,
    );
    return batch.rows === undefined ? states : { ...states, hidden: wantedRows(engine, states.hidden, batch.rows) };
  }

  /** The first position that each token sees, by its document and by the sliding window. */
  private windowed({ visibleFrom, tokens, length }: TokenBatch): Int32Array | undefined {
    const { slidingWindow } = this.configuration;
    if (slidingWindow === undefined || slidingWindow >= length) return visibleFrom;
    return Int32Array.from(tokens, (_, i) => Math.max(visibleFrom?.[i] ?? 0, (i % length) - slidingWindow + 1));
  }

  encode(engine: Engine, batch: TokenBatch): Variable {
    return this.forward(engine, { ...batch, rows: undefined }).hidden;
  }

  createCache(engine: Engine, capacity: number, sequences?: number, options?: CacheOptions): KeyValueCache {
    const { context, layers, attentionHeads: heads, keyValueHeads, headSize, slidingWindow } = this.configuration;
    return new KeyValueCache(
      engine,
      { layers, heads, keyValueHeads, headSize, window: slidingWindow },
      Math.min(capacity, context),
      sequences,
      options,
    );
  }

  forwardCached(engine: Engine, spans: readonly CachedSpan[], cache: KeyValueCache): HiddenStates {
    const pass = cache.pass(spans);
    const length = Math.max(...spans.map(({ sequence, tokens }) => cache.lengths[sequence] + tokens.length));
    const places = { positions: pass.positions, table: this.rotations.at(length) };
    const states = this.decode(engine, pass.tokens, places, (packed, layer) => pass.attend(packed, layer));
    pass.finish();
    return states;
  }

  /** Embedding, blocks and last norm; `attend` gets rotated packed rows and the layer's index. */
  private decode(
    engine: Engine,
    tokens: Int32Array,
    places: { readonly positions: Tensor; readonly table: Tensor },
    attend: (packed: Variable, layer: number) => Variable,
  ): HiddenStates {
    const { normEpsilon: epsilon, attentionHeads, keyValueHeads, headSize } = this.configuration;
    const rotation = { ...places, heads: attentionHeads + keyValueHeads, headSize };
    const addAndNorm = ({ stream: x, delta }: Stream, weight: Variable) =>
      delta === undefined
        ? { sum: x, out: engine.run(rmsNorm, { x, weight }, { epsilon }).out }
        : engine.run(residualRmsNorm, { x, delta, weight }, { epsilon });

    const heads = { queryHeads: attentionHeads, keyHeads: keyValueHeads, headSize };
    const project = (x: Variable, { queryKeyValue: weight, queryKeyValueBias: bias, headNorms }: LlamaLayer) => {
      const packed =
        bias === undefined
          ? engine.run(linear, { x, weight }, {}).out
          : engine.run(linearWithBias, { x, weight, bias }, {}).out;
      if (headNorms === undefined) return packed;
      return engine.run(headNorm, { x: packed, ...headNorms }, { shape: heads, epsilon }).out;
    };

    const table = this.arena.get("embedding");
    const stream = engine.run(embedding, { table }, { ids: engine.constant(tokens) }).out;
    const last = runPreNormBlocks(engine, stream, {
      layers: this.layers.length,
      norm: (before, layer, branch) => addAndNorm(before, this.layers[layer][`${branch}Norm`]),
      linear: (x, layer, part) =>
        part === "queryKeyValue"
          ? engine.run(rope, { x: project(x, this.layers[layer]) }, rotation).out
          : engine.run(linear, { x, weight: this.layers[layer][part === "up" ? "gateUp" : part] }, {}).out,
      attend,
      activate: (gateUp) => engine.run(swiglu, { gateUp }, {}).out,
    });
    const hidden = addAndNorm(last, this.arena.get("norm")).out;
    return { hidden, head: this.configuration.tiedEmbeddings ? table : this.arena.get("head") };
  }

  private attentionShape(sequences: number, queryLength: number, keyLength: number): AttentionShape {
    const { attentionHeads: heads, keyValueHeads, headSize } = this.configuration;
    const scale = 1 / Math.sqrt(headSize);
    return { sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal: true };
  }

  dispose(): void {
    this.arena.dispose();
    this.rotations.dispose();
  }
}

function weights(configuration: LlamaConfiguration, variant: LlamaVariant): WeightMapping[] {
  const { vocabularySize, width, layers, attentionHeads, keyValueHeads, headSize, mlpWidth } = configuration;
  const queryRows = attentionHeads * headSize;
  const keyRows = keyValueHeads * headSize;
  const whole = (name: string, parameter: string, shape: readonly number[], rowStart = 0): WeightMapping => ({
    name,
    parameter,
    shape,
    rowStart,
  });
  const blocks = Array.from({ length: layers }, (_, index) => {
    const ours = `layers.${index}`;
    const theirs = `model.layers.${index}`;
    return [
      whole(`${theirs}.input_layernorm.weight`, `${ours}.attentionNorm`, [width]),
      whole(`${theirs}.self_attn.q_proj.weight`, `${ours}.queryKeyValue`, [queryRows, width]),
      whole(`${theirs}.self_attn.k_proj.weight`, `${ours}.queryKeyValue`, [keyRows, width], queryRows),
      whole(`${theirs}.self_attn.v_proj.weight`, `${ours}.queryKeyValue`, [keyRows, width], queryRows + keyRows),
      ...(variant.queryKeyValueBias
        ? [
            whole(`${theirs}.self_attn.q_proj.bias`, `${ours}.queryKeyValueBias`, [queryRows]),
            whole(`${theirs}.self_attn.k_proj.bias`, `${ours}.queryKeyValueBias`, [keyRows], queryRows),
            whole(`${theirs}.self_attn.v_proj.bias`, `${ours}.queryKeyValueBias`, [keyRows], queryRows + keyRows),
          ]
        : []),
      ...(variant.headNorms
        ? [
            whole(`${theirs}.self_attn.q_norm.weight`, `${ours}.queryNorm`, [headSize]),
            whole(`${theirs}.self_attn.k_norm.weight`, `${ours}.keyNorm`, [headSize]),
          ]
        : []),
      whole(`${theirs}.self_attn.o_proj.weight`, `${ours}.attentionOutput`, [width, queryRows]),
      whole(`${theirs}.post_attention_layernorm.weight`, `${ours}.mlpNorm`, [width]),
      whole(`${theirs}.mlp.gate_proj.weight`, `${ours}.gateUp`, [mlpWidth, width]),
      whole(`${theirs}.mlp.up_proj.weight`, `${ours}.gateUp`, [mlpWidth, width], mlpWidth),
      whole(`${theirs}.mlp.down_proj.weight`, `${ours}.down`, [width, mlpWidth]),
    ];
  });
  return [
    whole("model.embed_tokens.weight", "embedding", [vocabularySize, width]),
    ...blocks.flat(),
    whole("model.norm.weight", "norm", [width]),
    ...(configuration.tiedEmbeddings ? [] : [whole("lm_head.weight", "head", [vocabularySize, width])]),
  ];
}

/** The keys of a Hugging Face `config.json` that decide what a Llama computes. */
const huggingFaceConfiguration = z.looseObject({
  vocab_size: positiveInteger,
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  num_key_value_heads: positiveInteger.optional(),
  head_dim: positiveInteger.nullish(),
  intermediate_size: positiveInteger,
  max_position_embeddings: positiveInteger,
  rope_theta: z.number().positive().optional(),
  rope_parameters: huggingFaceRope.nullish(),
  rope_scaling: huggingFaceRope.nullish(),
  sliding_window: positiveInteger.nullish(),
  use_sliding_window: z.boolean().optional(),
  rms_norm_eps: z.number().positive(),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
  initializer_range: z.number().positive().default(0.02),
});

/** The architecture of Llama or of a relative of it. */
export function llamaKind(variant: LlamaVariant): Architecture<LlamaConfiguration> {
  const architecture: Architecture<LlamaConfiguration> = {
    name: variant.name,
    family: "decoder",
    huggingFaceClass: variant.huggingFaceClass,
    schema: llamaConfiguration.refine((one) => variant.slidingWindow === true || one.slidingWindow === undefined, {
      message: `${variant.name} has no sliding window; mistral has`,
      path: ["slidingWindow"],
    }),
    parameters: (configuration) => parameters(configuration, variant),
    create: (engine, configuration) => new LlamaModel(engine, configuration, architecture, variant),
    weights: (configuration) => weights(configuration, variant),
    // The bare model has no prefix.
    canonicalName: (name) => (/^(embed_tokens|layers|norm)\./.test(name) ? `model.${name}` : name),
    toHuggingFace: (one) => ({
      architectures: [variant.huggingFaceClass],
      model_type: variant.name,
      vocab_size: one.vocabularySize,
      hidden_size: one.width,
      num_hidden_layers: one.layers,
      num_attention_heads: one.attentionHeads,
      num_key_value_heads: one.keyValueHeads,
      head_dim: one.headSize,
      intermediate_size: one.mlpWidth,
      // With dynamic scaling, transformers takes this for the context first trained on.
      max_position_embeddings: one.ropeScaling?.kind === "dynamic" ? one.ropeScaling.originalContext : one.context,
      rope_theta: one.ropeTheta,
      ...(one.ropeScaling && { rope_scaling: ropeScalingToHuggingFace(one.ropeScaling) }),
      ...(variant.slidingWindow && { sliding_window: one.slidingWindow ?? null }),
      rms_norm_eps: one.normEpsilon,
      tie_word_embeddings: one.tiedEmbeddings,
      hidden_act: "silu",
      attention_bias: false,
      attention_dropout: 0,
      mlp_bias: false,
      initializer_range: one.initializerStandardDeviation,
      torch_dtype: "float32",
      use_cache: true,
    }),
    fromHuggingFace(config) {
      const one = foreignConfiguration(
        huggingFaceConfiguration,
        config,
        "Tilth reads silu without biases beside those that the architecture always has.",
      );
      const rope = one.rope_scaling ?? one.rope_parameters ?? {};
      const { context, ropeScaling: scaling } = ropeScalingOfHuggingFace(rope, one.max_position_embeddings);
      const window = one.use_sliding_window === false ? undefined : (one.sliding_window ?? undefined);
      if (window !== undefined && variant.slidingWindow !== true) {
        throw new TilthError(`config.json: "sliding_window" is set, which this version reads for mistral only`);
      }
      return llamaConfiguration.parse({
        vocabularySize: one.vocab_size,
        width: one.hidden_size,
        layers: one.num_hidden_layers,
        attentionHeads: one.num_attention_heads,
        keyValueHeads: one.num_key_value_heads ?? one.num_attention_heads,
        headSize: one.head_dim ?? one.hidden_size / one.num_attention_heads,
        mlpWidth: one.intermediate_size,
        context,
        ropeTheta: one.rope_theta ?? one.rope_parameters?.rope_theta ?? 10_000,
        ropeScaling: scaling,
        slidingWindow: window,
        normEpsilon: one.rms_norm_eps,
        tiedEmbeddings: one.tie_word_embeddings,
        initializerStandardDeviation: one.initializer_range,
      });
    },
    withContext: (configuration, change) => ({ ...configuration, ...extendedRope(configuration, change) }),
    dimensions(configuration) {
      const specifications = parameters(configuration, variant);
      const count = (some: ParameterSpecification[]) =>
        some.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      const matrices = specifications.filter(
        ({ name, shape }) => shape.length === 2 && (name !== "embedding" || configuration.tiedEmbeddings),
      );
      return {
        vocabularySize: configuration.vocabularySize,
        width: configuration.attentionHeads * configuration.headSize,
        layers: configuration.layers,
        context: configuration.context,
        matrixParameters: count(matrices),
        parameters: count(specifications),
      };
    },
  };
  return architecture;
}

/** The Llama architecture. */
export const llama = llamaKind({ name: "llama", huggingFaceClass: "LlamaForCausalLM" });
