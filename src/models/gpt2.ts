/**
 * GPT-2 (Radford et al. 2019): pre-norm decoder with learned positions, layer norms, biases everywhere, GELU by tanh and a
 * tied head. Residual projections start smaller by 1/√(2 · layers). Hugging Face stores its matrices transposed (Conv1D).
 * Differs from the paper in that dropout is applied to embeddings and residual branches only, not to attention weights.
 */
import { z } from "zod";
import {
  addRows,
  attention,
  dropout,
  type Engine,
  embedding,
  ParameterArena,
  type ParameterSpecification,
  type Variable,
} from "../engine/index.ts";
import { mixKeys, positiveInteger, settingsObject } from "../foundation/index.ts";
import {
  addAndNorm,
  biasedBlocks,
  blockParameters,
  mapped,
  mappedPair,
  normalParameter,
  normParameters,
} from "./encoder.ts";
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
import { runPreNormBlocks } from "./pre-norm-blocks.ts";

/** Sizes of a GPT-2. Widths in elements, `context` in tokens. */
export const gpt2Configuration = settingsObject("GPT-2", {
  vocabularySize: positiveInteger,
  width: positiveInteger,
  layers: positiveInteger,
  attentionHeads: positiveInteger,
  /** Four times the width if left out. */
  mlpWidth: positiveInteger.optional(),
  context: positiveInteger,
  normEpsilon: z.number().positive().default(1e-5),
  dropout: z.number().min(0).lt(1).default(0),
  initializerStandardDeviation: z.number().positive().default(0.02),
})
  .transform((one) => ({ ...one, mlpWidth: one.mlpWidth ?? 4 * one.width }))
  .refine((one) => one.width % one.attentionHeads === 0, { message: "width must be a multiple of attentionHeads" });

export type Gpt2Configuration = z.infer<typeof gpt2Configuration>;

function parameters(one: Gpt2Configuration): ParameterSpecification[] {
  const { vocabularySize, width, layers, context, initializerStandardDeviation: deviation } = one;
  const residual = deviation / Math.sqrt(2 * layers);
  return [
    normalParameter("embedding", [vocabularySize, width], deviation),
    normalParameter("positions", [context, width], deviation),
    ...blockParameters("layers.", one, { attention: deviation, up: deviation, residual }),
    ...normParameters("norm", width),
  ];
}

class Gpt2Model implements LanguageModel<Gpt2Configuration> {
  readonly architecture = gpt2;
  readonly arena: ParameterArena;

  constructor(
    engine: Engine,
    readonly configuration: Gpt2Configuration,
  ) {
    this.arena = new ParameterArena(engine.backend, parameters(configuration), engine.use);
  }

  forward(engine: Engine, batch: TokenBatch): HiddenStates {
    const hidden = this.encode(engine, batch);
    const wanted = batch.rows === undefined ? hidden : wantedRows(engine, hidden, batch.rows);
    return { hidden: wanted, head: this.arena.get("embedding") };
  }

  encode(engine: Engine, batch: TokenBatch): Variable {
    const { sequences, length, visibleFrom, visibleTo, dropoutKey } = batch;
    const shape = {
      ...this.cacheShape(),
      ...{ sequences, queryLength: length, keyLength: length, scale: 1 / Math.sqrt(this.cacheShape().headSize) },
      // What a token sees is all in `visibleTo`, where that is given.
      causal: visibleTo === undefined,
    };
    const mask = visibleFrom && {
      visibleFrom: engine.constant(visibleFrom),
      visibleTo: engine.constant(visibleTo ?? new Int32Array(batch.tokens.length).fill(length)),
    };
    const positions = this.lookUp(
      engine,
      "positions",
      Int32Array.from({ length }, (_, position) => position),
    );
    const attend = (packed: Variable) => engine.run(attention, { packed }, { shape, ...mask }).out;
    return this.decode(engine, batch.tokens, positions, attend, dropoutKey);
  }

  createCache(engine: Engine, capacity: number, sequences?: number, options?: CacheOptions): KeyValueCache {
    const { context } = this.configuration;
    return new KeyValueCache(engine, this.cacheShape(), Math.min(capacity, context), sequences, options);
  }

  forwardCached(engine: Engine, spans: readonly CachedSpan[], cache: KeyValueCache): HiddenStates {
    const places = spans.flatMap(({ sequence, tokens }) => Array.from(tokens, (_, i) => cache.lengths[sequence] + i));
    const pass = cache.pass(spans);
    const positions = this.lookUp(engine, "positions", Int32Array.from(places));
    const hidden = this.decode(engine, pass.tokens, positions, (packed, layer) => pass.attend(packed, layer));
    pass.finish();
    return { hidden, head: this.arena.get("embedding") };
  }

  dispose(): void {
    this.arena.dispose();
  }

  private cacheShape() {
    const { layers, attentionHeads: heads, width } = this.configuration;
    return { layers, heads, keyValueHeads: heads, headSize: width / heads };
  }

  private lookUp(engine: Engine, name: string, ids: Int32Array): Variable {
    return engine.run(embedding, { table: this.arena.get(name) }, { ids: engine.constant(ids) }).out;
  }

  /** Embeddings, blocks and last norm; `positions` repeat every so many tokens. */
  private decode(
    engine: Engine,
    tokens: Int32Array,
    positions: Variable,
    attend: (packed: Variable, layer: number) => Variable,
    dropoutKey?: number,
  ): Variable {
    const { normEpsilon, layers, dropout: probability } = this.configuration;
    const dropped = (x: Variable, layer: number, place: number) =>
      dropoutKey === undefined || probability === 0
        ? x
        : engine.run(dropout, { x }, { probability, key: mixKeys(dropoutKey, layer, place) }).out;
    const words = this.lookUp(engine, "embedding", tokens);
    const placed = dropped(engine.run(addRows, { x: words, table: positions }, {}).out, 0, 0);
    const sizes = { layers, normEpsilon, activation: "gelu-tanh" } as const;
    const blocks = biasedBlocks(engine, this.arena, "layers.", sizes);
    const last = runPreNormBlocks(engine, placed, { ...blocks, attend, dropped });
    return addAndNorm(engine, this.arena, last, "norm", normEpsilon).out;
  }
}

function weights(one: Gpt2Configuration): WeightMapping[] {
  const { vocabularySize, width, context, mlpWidth } = one;
  /** A Conv1D: the transpose of ours. */
  const turned = (theirs: string, ours: string, outputs: number, inputs: number): WeightMapping[] => [
    { ...mapped(`${theirs}.weight`, `${ours}.weight`, [inputs, outputs]), transposed: true },
    mapped(`${theirs}.bias`, `${ours}.bias`, [outputs]),
  ];
  const blocks = Array.from({ length: one.layers }, (_, index) => {
    const [ours, theirs] = [`layers.${index}`, `transformer.h.${index}`];
    return [
      ...mappedPair(`${theirs}.ln_1`, `${ours}.attentionNorm`, width),
      ...turned(`${theirs}.attn.c_attn`, `${ours}.queryKeyValue`, 3 * width, width),
      ...turned(`${theirs}.attn.c_proj`, `${ours}.attentionOutput`, width, width),
      ...mappedPair(`${theirs}.ln_2`, `${ours}.mlpNorm`, width),
      ...turned(`${theirs}.mlp.c_fc`, `${ours}.up`, mlpWidth, width),
      ...turned(`${theirs}.mlp.c_proj`, `${ours}.down`, width, mlpWidth),
    ];
  });
  return [
    mapped("transformer.wte.weight", "embedding", [vocabularySize, width]),
    mapped("transformer.wpe.weight", "positions", [context, width]),
    ...blocks.flat(),
    ...mappedPair("transformer.ln_f", "norm", width),
  ];
}

/** The keys of a Hugging Face `config.json` that decide what a GPT-2 computes. */
const huggingFaceConfiguration = z.looseObject({
  vocab_size: positiveInteger,
  n_embd: positiveInteger,
  n_layer: positiveInteger,
  n_head: positiveInteger,
  n_inner: positiveInteger.nullish(),
  n_positions: positiveInteger,
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(["gelu_new", "gelu_pytorch_tanh"]).default("gelu_new"),
  resid_pdrop: z.number().min(0).lt(1).default(0),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  tie_word_embeddings: z.literal(true).default(true),
  initializer_range: z.number().positive().default(0.02),
});

/** The GPT-2 architecture. */
export const gpt2: Architecture<Gpt2Configuration> = {
  name: "gpt2",
  family: "decoder",
  huggingFaceClass: "GPT2LMHeadModel",
  schema: gpt2Configuration,
  parameters,
  create: (engine, configuration) => new Gpt2Model(engine, configuration),
  weights,
  isRedundant: (name) => /\.attn\.(masked_)?bias$/.test(name),
  // The bare GPT2Model, and the first files on the hub, have no prefix.
  canonicalName: (name) => (/^(transformer\.|lm_head\.)/.test(name) ? name : `transformer.${name}`),
  toHuggingFace: (one) => ({
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: one.vocabularySize,
    n_embd: one.width,
    n_layer: one.layers,
    n_head: one.attentionHeads,
    n_inner: one.mlpWidth,
    n_positions: one.context,
    n_ctx: one.context,
    layer_norm_epsilon: one.normEpsilon,
    activation_function: "gelu_new",
    embd_pdrop: one.dropout,
    resid_pdrop: one.dropout,
    attn_pdrop: 0,
    tie_word_embeddings: true,
    initializer_range: one.initializerStandardDeviation,
    torch_dtype: "float32",
    use_cache: true,
  }),
  fromHuggingFace(config) {
    const one = foreignConfiguration(
      huggingFaceConfiguration,
      config,
      "Tilth reads GPT-2 with GELU by tanh, scaled attention and a tied head.",
    );
    return gpt2Configuration.parse({
      vocabularySize: one.vocab_size,
      width: one.n_embd,
      layers: one.n_layer,
      attentionHeads: one.n_head,
      mlpWidth: one.n_inner ?? 4 * one.n_embd,
      context: one.n_positions,
      normEpsilon: one.layer_norm_epsilon,
      dropout: one.resid_pdrop,
      initializerStandardDeviation: one.initializer_range,
    });
  },
  dimensions(one) {
    const specifications = parameters(one);
    const count = (some: readonly ParameterSpecification[]) =>
      some.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const { vocabularySize, width, layers, context } = one;
    const matrices = specifications.filter(({ name, shape }) => shape.length === 2 && name !== "positions");
    return {
      ...{ vocabularySize, width, layers, context },
      ...{ matrixParameters: count(matrices), parameters: count(specifications) },
    };
  },
};
