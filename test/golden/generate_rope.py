"""Writes test/golden/fixtures/rope: logits of one small Llama under every rule of rotary scaling, by transformers.

Made with Python 3.11-3.13, torch 2.15.0, transformers 5.24.0 and safetensors (any), on the CPU in f32 with eager
attention and one thread. Weights are large, so that a wrong rotation shows.
"""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures" / "rope"
LENGTHS = [9, 24]
SIZES = dict(
    vocab_size=31,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    intermediate_size=24,
    rms_norm_eps=1e-5,
    initializer_range=0.5,
    tie_word_embeddings=True,
    use_cache=False,
)
# The original context is 8 tokens; what dynamic scaling was trained on stands in max_position_embeddings.
FORMS = {
    "linear": (32, dict(rope_type="linear", factor=4.0)),
    "dynamic": (8, dict(rope_type="dynamic", factor=4.0)),
    "yarn": (32, dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=4.0, beta_slow=0.5)),
    "yarn-scaled": (
        32,
        dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=8, mscale=0.7, mscale_all_dim=1.3, truncate=False),
    ),
    "llama3": (
        32,
        dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8),
    ),
}


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    tokens = torch.randint(0, SIZES["vocab_size"], (2, max(LENGTHS)))
    weights = None
    tensors, configurations = {}, {}
    for name, (positions, rope) in FORMS.items():
        config = transformers.LlamaConfig(
            **SIZES, max_position_embeddings=positions, rope_parameters=dict(rope, rope_theta=10000.0), attn_implementation="eager"
        )
        model = transformers.LlamaForCausalLM(config).eval()
        if weights is None:
            weights = {key: value.clone() for key, value in model.state_dict().items() if key != "lm_head.weight"}
        model.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})
        for length in LENGTHS:
            # A fresh model each time: transformers keeps the frequencies of the longest sequence that it has seen.
            fresh = transformers.LlamaForCausalLM(config).eval()
            fresh.load_state_dict(model.state_dict())
            with torch.no_grad():
                tensors[f"{name}/{length}"] = fresh(tokens[:, :length]).logits.contiguous()
        configurations[name] = config.to_dict()
    save_file({**{f"weights/{key}": value for key, value in weights.items()}, **tensors}, FIXTURES / "rope.safetensors")
    facts = dict(lengths=LENGTHS, tokens=tokens.tolist(), configurations=configurations)
    (FIXTURES / "rope.json").write_text(json.dumps(facts, indent=1) + "\n")


main()
