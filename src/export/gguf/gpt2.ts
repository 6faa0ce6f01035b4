/** GPT-2 in GGUF. */
import type { Gpt2Configuration } from "../../models/index.ts";
import { float32, type GgufDescription, type GgufWeight, text, uint32 } from "./description.ts";

export const gpt2InGguf: GgufDescription<Gpt2Configuration> = {
  metadata: (one) => ({
    "general.architecture": text("gpt2"),
    "gpt2.vocab_size": uint32(one.vocabularySize),
    "gpt2.context_length": uint32(one.context),
    "gpt2.embedding_length": uint32(one.width),
    "gpt2.block_count": uint32(one.layers),
    "gpt2.feed_forward_length": uint32(one.mlpWidth),
    "gpt2.attention.head_count": uint32(one.attentionHeads),
    "gpt2.attention.layer_norm_epsilon": float32(one.normEpsilon),
  }),
  weights(one) {
    const norm = (name: string, from: string): GgufWeight[] => [
      { name: `${name}.weight`, from: `${from}.weight` },
      { name: `${name}.bias`, from: `${from}.bias` },
    ];
    const linear = (name: string, from: string): GgufWeight[] => [
      { name: `${name}.weight`, from: `${from}.weight`, transposed: true },
      { name: `${name}.bias`, from: `${from}.bias` },
    ];
    const blocks = Array.from({ length: one.layers }, (_, index): GgufWeight[] => {
      const [ours, theirs] = [`blk.${index}`, `transformer.h.${index}`];
      return [
        ...norm(`${ours}.attn_norm`, `${theirs}.ln_1`),
        ...linear(`${ours}.attn_qkv`, `${theirs}.attn.c_attn`),
        ...linear(`${ours}.attn_output`, `${theirs}.attn.c_proj`),
        ...norm(`${ours}.ffn_norm`, `${theirs}.ln_2`),
        ...linear(`${ours}.ffn_up`, `${theirs}.mlp.c_fc`),
        ...linear(`${ours}.ffn_down`, `${theirs}.mlp.c_proj`),
      ];
    });
    // The head is tied: llama.cpp takes the embedding for it.
    return [
      { name: "token_embd.weight", from: "transformer.wte.weight" },
      { name: "position_embd.weight", from: "transformer.wpe.weight", keepF32: true },
      ...blocks.flat(),
      ...norm("output_norm", "transformer.ln_f"),
    ];
  },
};
