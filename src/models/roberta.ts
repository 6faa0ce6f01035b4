/**
 * RoBERTa (Liu et al. 2019): BERT's encoder without its token types (the file holds one row that every token takes) and
 * without next-sentence head; positions start at 2, after the row of the padding token.
 */
import { z } from "zod";
import { settingsObject } from "../foundation/index.ts";
import {
  type BertConfiguration,
  BertModel,
  type BertVariant,
  bertCanonicalName,
  bertDimensions,
  bertHuggingFaceKeys,
  bertParameters,
  bertWeights,
  encoderShape,
  parseBertConfiguration,
} from "./bert.ts";
import type { Architecture } from "./model.ts";

const variant: BertVariant = {
  positionOffset: 2,
  names: { body: "roberta", transform: "lm_head.dense", transformNorm: "lm_head.layer_norm", headBias: "lm_head.bias" },
};

/** Sizes of a RoBERTa. Widths in elements, `context` in tokens. */
export const robertaConfiguration = settingsObject("RoBERTa", {
  ...encoderShape,
  normEpsilon: z.number().positive().default(1e-5),
})
  .transform(
    (one): BertConfiguration => ({
      ...one,
      mlpWidth: one.mlpWidth ?? 4 * one.width,
      tokenTypes: 1,
      nextSentence: false,
    }),
  )
  .refine((one) => one.width % one.attentionHeads === 0, { message: "width must be a multiple of attentionHeads" });

/** The RoBERTa architecture. */
export const roberta: Architecture<BertConfiguration> = {
  name: "roberta",
  family: "encoder",
  huggingFaceClass: "RobertaForMaskedLM",
  // A complete configuration, as a run's folder holds it, is read again too.
  schema: z.preprocess((value) => {
    if (value === null || typeof value !== "object") return value;
    const { tokenTypes: _types, nextSentence: _sentence, ...rest } = value as Record<string, unknown>;
    return rest;
  }, robertaConfiguration),
  parameters: (one) => bertParameters(one, variant),
  create: (engine, one) => new BertModel(engine, one, roberta, variant),
  weights: (one) => bertWeights(one, variant),
  isRedundant: (name) => /^lm_head\.decoder\.|position_ids$|^roberta\.pooler\./.test(name),
  canonicalName: (name) => bertCanonicalName(name, variant),
  toHuggingFace: (one) => ({
    architectures: ["RobertaForMaskedLM"],
    model_type: "roberta",
    max_position_embeddings: one.context + variant.positionOffset,
    pad_token_id: 1,
    ...bertHuggingFaceKeys(one),
  }),
  fromHuggingFace(config) {
    const one = parseBertConfiguration(config);
    return robertaConfiguration.parse({
      vocabularySize: one.vocab_size,
      width: one.hidden_size,
      layers: one.num_hidden_layers,
      attentionHeads: one.num_attention_heads,
      mlpWidth: one.intermediate_size,
      context: one.max_position_embeddings - variant.positionOffset,
      normEpsilon: one.layer_norm_eps,
      dropout: one.hidden_dropout_prob,
      initializerStandardDeviation: one.initializer_range,
    });
  },
  dimensions: (one) => bertDimensions(one, bertParameters(one, variant)),
};
