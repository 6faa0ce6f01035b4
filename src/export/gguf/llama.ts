/** Llama in GGUF. Query and key rows are interleaved: llama.cpp rotates neighbours, Hugging Face rotates halves. */
import type { LlamaConfiguration } from "../../models/index.ts";
import { float32, type GgufDescription, type GgufWeight, text, uint32 } from "./description.ts";

export const llamaInGguf: GgufDescription<LlamaConfiguration> = {
  metadata: (one) => ({
    "general.architecture": text("llama"),
    "llama.vocab_size": uint32(one.vocabularySize),
    "llama.context_length": uint32(one.context),
    "llama.embedding_length": uint32(one.width),
    "llama.block_count": uint32(one.layers),
    "llama.feed_forward_length": uint32(one.mlpWidth),
    "llama.attention.head_count": uint32(one.attentionHeads),
    "llama.attention.head_count_kv": uint32(one.keyValueHeads),
    "llama.attention.key_length": uint32(one.headSize),
    "llama.attention.value_length": uint32(one.headSize),
    "llama.attention.layer_norm_rms_epsilon": float32(one.normEpsilon),
    "llama.rope.dimension_count": uint32(one.headSize),
    "llama.rope.freq_base": float32(one.ropeTheta),
  }),
  weights(one) {
    const blocks = Array.from({ length: one.layers }, (_, index): GgufWeight[] => {
      const [ours, theirs] = [`blk.${index}`, `model.layers.${index}`];
      return [
        { name: `${ours}.attn_norm.weight`, from: `${theirs}.input_layernorm.weight` },
        {
          name: `${ours}.attn_q.weight`,
          from: `${theirs}.self_attn.q_proj.weight`,
          interleaveHeads: one.attentionHeads,
        },
        {
          name: `${ours}.attn_k.weight`,
          from: `${theirs}.self_attn.k_proj.weight`,
          interleaveHeads: one.keyValueHeads,
        },
        { name: `${ours}.attn_v.weight`, from: `${theirs}.self_attn.v_proj.weight` },
        { name: `${ours}.attn_output.weight`, from: `${theirs}.self_attn.o_proj.weight` },
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
      ...blocks.flat(),
      { name: "output_norm.weight", from: "model.norm.weight" },
      ...head,
    ];
  },
};
