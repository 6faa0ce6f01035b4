/**
 * BERT (Devlin et al. 2019): encoder with learned positions, token types, norms after the residual sums and exact GELU; its
 * masked-token head transforms the wanted rows and shares the embedding. Query, key and value are stored as one matrix.
 * Differs from the paper in that dropout is applied to sums and embeddings only, not to attention weights.
 */
import { z } from "zod";
import {
  activation,
  add,
  addRows,
  attention,
  dropout,
  type Engine,
  embedding,
  layerNorm,
  linearWithBias,
  ParameterArena,
  type ParameterSpecification,
  residualLayerNorm,
  type Variable,
} from "../engine/index.ts";
import { mixKeys, positiveInteger, settingsObject, TilthError } from "../foundation/index.ts";
import {
  blockParameters,
  linearParameters,
  mapped,
  mappedPair,
  normalParameter,
  normParameters,
  weightAndBias,
} from "./encoder.ts";
import { foreignConfiguration } from "./foreign-configuration.ts";
import {
  type Architecture,
  type HiddenStates,
  type LanguageModel,
  type TokenBatch,
  type WeightMapping,
  wantedRows,
} from "./model.ts";

/** Settings that BERT and RoBERTa share. */
export const encoderShape = {
  vocabularySize: positiveInteger,
  width: positiveInteger,
  layers: positiveInteger,
  attentionHeads: positiveInteger,
  /** Four times the width if left out. */
  mlpWidth: positiveInteger.optional(),
  /** Longest sequence in tokens. */
  context: positiveInteger,
  dropout: z.number().min(0).lt(1).default(0),
  initializerStandardDeviation: z.number().positive().default(0.02),
};

/** Sizes of a BERT. Widths in elements, `context` in tokens. */
export const bertConfiguration = settingsObject("BERT", {
  ...encoderShape,
  tokenTypes: positiveInteger.default(2),
  normEpsilon: z.number().positive().default(1e-12),
  /** Whether it has the pooler and the head of BERT's next-sentence task. */
  nextSentence: z.boolean().default(false),
})
  .transform((one) => ({ ...one, mlpWidth: one.mlpWidth ?? 4 * one.width }))
  .refine((one) => one.width % one.attentionHeads === 0, { message: "width must be a multiple of attentionHeads" });

export type BertConfiguration = z.infer<typeof bertConfiguration>;

/** What RoBERTa does otherwise. */
export interface BertVariant {
  /** Position embeddings before that of the first token. */
  readonly positionOffset: number;
  readonly names: {
    readonly body: string;
    readonly transform: string;
    readonly transformNorm: string;
    readonly headBias: string;
  };
}

const bertVariant: BertVariant = {
  positionOffset: 0,
  names: {
    body: "bert",
    transform: "cls.predictions.transform.dense",
    transformNorm: "cls.predictions.transform.LayerNorm",
    headBias: "cls.predictions.bias",
  },
};

/** Parameters of a BERT or RoBERTa. */
export function bertParameters(one: BertConfiguration, { positionOffset }: BertVariant): ParameterSpecification[] {
  const { vocabularySize, width, context, tokenTypes, initializerStandardDeviation: deviation } = one;
  const linear = (name: string, outputs: number, inputs: number) => linearParameters(name, outputs, inputs, deviation);
  return [
    normalParameter("embedding", [vocabularySize, width], deviation),
    normalParameter("positions", [context + positionOffset, width], deviation),
    normalParameter("types", [tokenTypes, width], deviation),
    ...normParameters("embeddingNorm", width),
    ...blockParameters("layers.", one, { attention: deviation, up: deviation, residual: deviation }),
    ...linear("transform", width, width),
    ...normParameters("transformNorm", width),
    normalParameter("headBias", [vocabularySize], 0),
    ...(one.nextSentence ? [...linear("pooler", width, width), ...linear("nextSentence", 2, width)] : []),
  ];
}

/** A BERT or RoBERTa with its parameters. */
export class BertModel implements LanguageModel<BertConfiguration> {
  readonly arena: ParameterArena;

  constructor(
    engine: Engine,
    readonly configuration: BertConfiguration,
    readonly architecture: Architecture<BertConfiguration>,
    private readonly variant: BertVariant,
  ) {
    this.arena = new ParameterArena(engine.backend, architecture.parameters(configuration), engine.use);
  }

  encode(engine: Engine, batch: TokenBatch): Variable {
    const { attentionHeads: heads, width, layers, normEpsilon: epsilon } = this.configuration;
    const { sequences, length } = batch;
    const headSize = width / heads;
    const shape = {
      ...{ sequences, queryLength: length, keyLength: length, heads, keyValueHeads: heads, headSize },
      ...{ scale: 1 / Math.sqrt(headSize), causal: false },
    };
    const mask = batch.visibleFrom && {
      visibleFrom: engine.constant(batch.visibleFrom),
      visibleTo: engine.constant(batch.visibleTo ?? new Int32Array(batch.tokens.length).fill(length)),
    };
    // The norm's output is the residual stream.
    const afterSum = (x: Variable, delta: Variable, name: string) =>
      engine.run(residualLayerNorm, { x, delta, ...weightAndBias(this.arena, name) }, { epsilon, type: "f32" }).out;

    let stream = this.embed(engine, batch);
    for (let index = 0; index < layers; index++) {
      const name = `layers.${index}`;
      const before = stream;
      ({ stream } = engine.checkpoint(() => {
        const packed = this.linear(engine, before, `${name}.queryKeyValue`);
        const attended = engine.run(attention, { packed }, { shape, ...mask }).out;
        engine.release(packed);
        const mixed = this.dropped(engine, this.linear(engine, attended, `${name}.attentionOutput`), batch, index, 1);
        engine.release(attended);
        const middle = afterSum(before, mixed, `${name}.attentionNorm`);
        engine.release(mixed);
        const up = this.linear(engine, middle, `${name}.up`);
        const activated = engine.run(activation, { x: up }, { kind: "gelu" }).out;
        engine.release(up);
        const down = this.dropped(engine, this.linear(engine, activated, `${name}.down`), batch, index, 2);
        engine.release(activated);
        const after = afterSum(middle, down, `${name}.mlpNorm`);
        engine.release(middle, down);
        return { stream: after };
      }));
      if (index > 0) engine.release(before);
    }
    return stream;
  }

  forward(engine: Engine, batch: TokenBatch): HiddenStates {
    const encoded = this.encode(engine, batch);
    const wanted = batch.rows === undefined ? encoded : wantedRows(engine, encoded, batch.rows);
    const transformed = engine.run(activation, { x: this.linear(engine, wanted, "transform") }, { kind: "gelu" }).out;
    const norm = weightAndBias(this.arena, "transformNorm");
    const hidden = engine.run(layerNorm, { x: transformed, ...norm }, { epsilon: this.configuration.normEpsilon }).out;
    const states = { hidden, head: this.arena.get("embedding"), headBias: this.arena.get("headBias") };
    if (!this.configuration.nextSentence || batch.sentenceLabels === undefined) return states;
    const first = Int32Array.from({ length: batch.sequences }, (_, sequence) => sequence * batch.length);
    const pooled = this.linear(engine, wantedRows(engine, encoded, first), "pooler");
    const activated = engine.run(activation, { x: pooled }, { kind: "tanh" }).out;
    return { ...states, nextSentence: { hidden: activated, ...weightAndBias(this.arena, "nextSentence") } };
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
  }

  /** Token, position and type embeddings, summed, normed and dropped. */
  private embed(engine: Engine, batch: TokenBatch): Variable {
    const { positionOffset } = this.variant;
    const lookUp = (name: string, ids: Int32Array) =>
      engine.run(embedding, { table: this.arena.get(name) }, { ids: engine.constant(ids) }).out;
    const order = Int32Array.from({ length: batch.length }, (_, position) => position + positionOffset);
    const words = lookUp("embedding", batch.tokens);
    const typed = engine.run(
      add,
      { a: words, b: lookUp("types", batch.types ?? new Int32Array(batch.tokens.length)) },
      {},
    ).out;
    const placed = engine.run(addRows, { x: typed, table: lookUp("positions", order) }, {}).out;
    const { normEpsilon: epsilon } = this.configuration;
    const norm = weightAndBias(this.arena, "embeddingNorm");
    const normed = engine.run(layerNorm, { x: placed, ...norm }, { epsilon, type: "f32" }).out;
    return this.dropped(engine, normed, batch, 0, 0);
  }

  private linear(engine: Engine, x: Variable, name: string): Variable {
    return engine.run(linearWithBias, { x, ...weightAndBias(this.arena, name) }, {}).out;
  }

  private dropped(engine: Engine, x: Variable, { dropoutKey }: TokenBatch, layer: number, place: number): Variable {
    const { dropout: probability } = this.configuration;
    if (dropoutKey === undefined || probability === 0) return x;
    return engine.run(dropout, { x }, { probability, key: mixKeys(dropoutKey, layer, place) }).out;
  }
}

/** The names that Hugging Face gives the weights of a BERT or RoBERTa for masked tokens. */
export function bertWeights(one: BertConfiguration, { names, positionOffset }: BertVariant): WeightMapping[] {
  const { vocabularySize, width, mlpWidth } = one;
  const { body } = names;
  const layers = Array.from({ length: one.layers }, (_, index) => {
    const [ours, theirs] = [`layers.${index}`, `${body}.encoder.layer.${index}`];
    return [
      ...["query", "key", "value"].flatMap((part, block) =>
        mappedPair(`${theirs}.attention.self.${part}`, `${ours}.queryKeyValue`, width, width, block * width),
      ),
      ...mappedPair(`${theirs}.attention.output.dense`, `${ours}.attentionOutput`, width, width),
      ...mappedPair(`${theirs}.attention.output.LayerNorm`, `${ours}.attentionNorm`, width),
      ...mappedPair(`${theirs}.intermediate.dense`, `${ours}.up`, mlpWidth, width),
      ...mappedPair(`${theirs}.output.dense`, `${ours}.down`, width, mlpWidth),
      ...mappedPair(`${theirs}.output.LayerNorm`, `${ours}.mlpNorm`, width),
    ];
  });
  return [
    mapped(`${body}.embeddings.word_embeddings.weight`, "embedding", [vocabularySize, width]),
    mapped(`${body}.embeddings.position_embeddings.weight`, "positions", [one.context + positionOffset, width]),
    mapped(`${body}.embeddings.token_type_embeddings.weight`, "types", [one.tokenTypes, width]),
    ...mappedPair(`${body}.embeddings.LayerNorm`, "embeddingNorm", width),
    ...layers.flat(),
    ...mappedPair(names.transform, "transform", width, width),
    ...mappedPair(names.transformNorm, "transformNorm", width),
    mapped(names.headBias, "headBias", [vocabularySize]),
    ...(one.nextSentence
      ? [
          ...mappedPair(`${body}.pooler.dense`, "pooler", width, width),
          ...mappedPair("cls.seq_relationship", "nextSentence", 2, width),
        ]
      : []),
  ];
}

/** The bare model has no prefix, and files converted from TensorFlow call the parameters of norms gamma and beta. */
export function bertCanonicalName(name: string, { names }: BertVariant): string {
  const whole = /^(embeddings|encoder|pooler)\./.test(name) ? `${names.body}.${name}` : name;
  return whole.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
}

/** What planning needs; the embedding counts once among the matrices, as the head. */
export function bertDimensions(
  one: Pick<BertConfiguration, "vocabularySize" | "width" | "layers" | "context">,
  specifications: readonly ParameterSpecification[],
) {
  const count = (some: readonly ParameterSpecification[]) =>
    some.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const { vocabularySize, width, layers, context } = one;
  const matrices = specifications.filter(
    ({ name, shape }) => shape.length === 2 && name !== "positions" && name !== "types",
  );
  return {
    ...{ vocabularySize, width, layers, context },
    ...{ matrixParameters: count(matrices), parameters: count(specifications) },
  };
}

/** Keys of a `config.json` that decide what a BERT or RoBERTa computes. */
export const bertHuggingFaceShape = z.looseObject({
  vocab_size: positiveInteger,
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  intermediate_size: positiveInteger,
  max_position_embeddings: positiveInteger,
  type_vocab_size: positiveInteger.default(2),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.literal("gelu").default("gelu"),
  hidden_dropout_prob: z.number().min(0).lt(1).default(0),
  position_embedding_type: z.literal("absolute").default("absolute"),
  is_decoder: z.literal(false).default(false),
  tie_word_embeddings: z.literal(true).default(true),
  initializer_range: z.number().positive().default(0.02),
});

/** The parsed keys. Throws TilthError naming the first that is unknown to Tilth. */
export function parseBertConfiguration(config: Readonly<Record<string, unknown>>) {
  const remedy = "Tilth reads encoders with absolute positions, exact GELU and a tied head.";
  return foreignConfiguration(bertHuggingFaceShape, config, remedy);
}

/** The keys that both models write. */
export function bertHuggingFaceKeys(one: BertConfiguration): Record<string, unknown> {
  return {
    vocab_size: one.vocabularySize,
    hidden_size: one.width,
    num_hidden_layers: one.layers,
    num_attention_heads: one.attentionHeads,
    intermediate_size: one.mlpWidth,
    type_vocab_size: one.tokenTypes,
    layer_norm_eps: one.normEpsilon,
    hidden_act: "gelu",
    hidden_dropout_prob: one.dropout,
    attention_probs_dropout_prob: 0,
    position_embedding_type: "absolute",
    tie_word_embeddings: true,
    initializer_range: one.initializerStandardDeviation,
    torch_dtype: "float32",
  };
}

/** The BERT architecture. A next-sentence head makes it `BertForPreTraining`. */
export const bert: Architecture<BertConfiguration> = {
  name: "bert",
  family: "encoder",
  huggingFaceClass: "BertForMaskedLM",
  schema: bertConfiguration,
  parameters: (one) => bertParameters(one, bertVariant),
  create: (engine, one) => new BertModel(engine, one, bert, bertVariant),
  weights: (one) => bertWeights(one, bertVariant),
  isRedundant: (name, one) =>
    /^cls\.predictions\.decoder\.|position_ids$/.test(name) ||
    (!one.nextSentence && /^bert\.pooler\.|^cls\.seq_relationship\./.test(name)),
  canonicalName: (name) => bertCanonicalName(name, bertVariant),
  toHuggingFace: (one) => ({
    architectures: [one.nextSentence ? "BertForPreTraining" : "BertForMaskedLM"],
    model_type: "bert",
    max_position_embeddings: one.context,
    ...bertHuggingFaceKeys(one),
  }),
  fromHuggingFace(config) {
    const one = parseBertConfiguration(config);
    return bertConfiguration.parse({
      vocabularySize: one.vocab_size,
      width: one.hidden_size,
      layers: one.num_hidden_layers,
      attentionHeads: one.num_attention_heads,
      mlpWidth: one.intermediate_size,
      context: one.max_position_embeddings,
      tokenTypes: one.type_vocab_size,
      normEpsilon: one.layer_norm_eps,
      dropout: one.hidden_dropout_prob,
      nextSentence: Array.isArray(config.architectures) && config.architectures[0] === "BertForPreTraining",
      initializerStandardDeviation: one.initializer_range,
    });
  },
  dimensions: (one) => bertDimensions(one, bertParameters(one, bertVariant)),
};
