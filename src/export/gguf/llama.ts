/** Llama, Qwen 2 and 3 and Mistral in GGUF. */
import { TilthError } from "../../foundation/index.ts";
import { type LlamaConfiguration, ropeAttentionFactor, ropeFrequencies } from "../../models/index.ts";
import { float32, type GgufDescription, type GgufWeight, text, uint32 } from "./description.ts";

/** How llama.cpp has a relative of Llama. */
interface Relative {
  /** Its name there: Mistral is a Llama. */
  readonly architecture: "llama" | "qwen2" | "qwen3";
  readonly queryKeyValueBias?: boolean;
  readonly headNorms?: boolean;
}

/** The description of a relative. llama.cpp's Llama rotates neighbours, so that query and key rows are interleaved. */
export function llamaInGguf(relative: Relative): GgufDescription<LlamaConfiguration> {
  const { architecture } = relative;
  return {
    metadata(one) {
      const scaling = one.ropeScaling?.kind;
      if (scaling === "dynamic" || (scaling === "llama3" && architecture !== "llama")) {
        throw new TilthError(
          `llama.cpp's ${architecture} has no ropeScaling of the kind ${scaling}, which this model has`,
        );
      }
      return {
        "general.architecture": text(architecture),
        [`${architecture}.vocab_size`]: uint32(one.vocabularySize),
        [`${architecture}.context_length`]: uint32(contextOf(one)),
        [`${architecture}.embedding_length`]: uint32(one.width),
        [`${architecture}.block_count`]: uint32(one.layers),
        [`${architecture}.feed_forward_length`]: uint32(one.mlpWidth),
        [`${architecture}.attention.head_count`]: uint32(one.attentionHeads),
        [`${architecture}.attention.head_count_kv`]: uint32(one.keyValueHeads),
        [`${architecture}.attention.key_length`]: uint32(one.headSize),
        [`${architecture}.attention.value_length`]: uint32(one.headSize),
        [`${architecture}.attention.layer_norm_rms_epsilon`]: float32(one.normEpsilon),
        [`${architecture}.rope.dimension_count`]: uint32(one.headSize),
        [`${architecture}.rope.freq_base`]: float32(one.ropeTheta),
        ...ropeMetadata(one, architecture),
      };
    },
    weights: (one) => weights(one, relative),
    notes: (one) =>
      contextOf(one) === one.context
        ? []
        : [
            `llama.cpp has no sliding window for this architecture: its context is ${contextOf(one)} tokens, the window, within which it computes the same`,
          ],
  };
}

/** Tokens that llama.cpp computes as the model does: without a sliding window no more than that. */
function contextOf({ context, slidingWindow }: LlamaConfiguration): number {
  return Math.min(context, slidingWindow ?? context);
}

function weights(one: LlamaConfiguration, { architecture, queryKeyValueBias, headNorms }: Relative): GgufWeight[] {
  const interleaved = (heads: number) => (architecture === "llama" ? { interleaveHeads: heads } : {});
  const blocks = Array.from({ length: one.layers }, (_, index): GgufWeight[] => {
    const [ours, theirs] = [`blk.${index}`, `model.layers.${index}`];
    const attention = `${theirs}.self_attn`;
    return [
      { name: `${ours}.attn_norm.weight`, from: `${theirs}.input_layernorm.weight` },
      { name: `${ours}.attn_q.weight`, from: `${attention}.q_proj.weight`, ...interleaved(one.attentionHeads) },
      { name: `${ours}.attn_k.weight`, from: `${attention}.k_proj.weight`, ...interleaved(one.keyValueHeads) },
      { name: `${ours}.attn_v.weight`, from: `${attention}.v_proj.weight` },
      ...(queryKeyValueBias
        ? ["q", "k", "v"].map((part) => ({ name: `${ours}.attn_${part}.bias`, from: `${attention}.${part}_proj.bias` }))
        : []),
      ...(headNorms
        ? ["q", "k"].map((part) => ({
            name: `${ours}.attn_${part}_norm.weight`,
            from: `${attention}.${part}_norm.weight`,
          }))
        : []),
      { name: `${ours}.attn_output.weight`, from: `${attention}.o_proj.weight` },
      { name: `${ours}.ffn_norm.weight`, from: `${theirs}.post_attention_layernorm.weight` },
      { name: `${ours}.ffn_gate.weight`, from: `${theirs}.mlp.gate_proj.weight` },
      { name: `${ours}.ffn_up.weight`, from: `${theirs}.mlp.up_proj.weight` },
      { name: `${ours}.ffn_down.weight`, from: `${theirs}.mlp.down_proj.weight` },
    ];
  });
  // A tied head is left out: llama.cpp takes the embedding for it.
  const head = one.tiedEmbeddings ? [] : [{ name: "output.weight", from: "lm_head.weight" }];
  return [
    { name: "token_embd.weight", from: "model.embed_tokens.weight" },
    ...(one.ropeScaling?.kind !== "llama3" ? [] : [{ name: "rope_freqs.weight", values: ropeFactors(one) }]),
    ...blocks.flat(),
    { name: "output_norm.weight", from: "model.norm.weight" },
    ...head,
  ];
}

/** The rules that llama.cpp computes itself. Its attention factor comes on top of the one that YaRN's paper gives. */
function ropeMetadata(
  one: LlamaConfiguration,
  architecture: string,
): ReturnType<GgufDescription<LlamaConfiguration>["metadata"]> {
  const { ropeScaling: scaling } = one;
  if (scaling?.kind !== "linear" && scaling?.kind !== "yarn") return {};
  const name = `${architecture}.rope.scaling`;
  return {
    [`${name}.type`]: text(scaling.kind),
    [`${name}.factor`]: float32(scaling.factor),
    ...(scaling.kind === "yarn" && {
      [`${name}.original_context_length`]: uint32(scaling.originalContext),
      [`${name}.yarn_beta_fast`]: float32(scaling.betaFast),
      [`${name}.yarn_beta_slow`]: float32(scaling.betaSlow),
      [`${name}.attn_factor`]: float32(ropeAttentionFactor(one) / (0.1 * Math.log(scaling.factor) + 1)),
    }),
  };
}

/** By what each frequency is divided in Llama 3's scaling. */
function ropeFactors(one: LlamaConfiguration): Float32Array {
  const [plain, scaled] = [ropeFrequencies({ ...one, ropeScaling: undefined }), ropeFrequencies(one)];
  return plain.map((frequency, i) => frequency / scaled[i]);
}
