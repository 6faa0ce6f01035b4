"""Writes test/golden/fixtures/text: what transformers computes for a small model of every text architecture.

Made with Python 3.11-3.13, torch 2.15.0, transformers 5.24.0 and safetensors (any), on the CPU in f32 with eager
attention and one thread. Other versions give other bits, within the tolerances of test/golden/text.test.ts.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as functional
import transformers
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures" / "text"
SEQUENCES, LENGTH, VOCABULARY, STEPS = 2, 14, 61, 10
IGNORED = -100
DECODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=24,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    use_cache=False,
)
ENCODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=20,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=8,
)
THETA = dict(rope_type="default", rope_theta=10000.0)
MODELS = {
    "gpt2": (
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=20, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
        ),
    ),
    "llama3": (
        transformers.LlamaForCausalLM,
        transformers.LlamaConfig(**DECODER, rope_parameters=LLAMA3, tie_word_embeddings=False),
    ),
    "qwen2": (transformers.Qwen2ForCausalLM, transformers.Qwen2Config(**DECODER, rope_parameters=THETA, tie_word_embeddings=True)),
    "qwen3": (
        transformers.Qwen3ForCausalLM,
        transformers.Qwen3Config(**DECODER, head_dim=6, rope_parameters=THETA, tie_word_embeddings=True),
    ),
    "mistral": (
        transformers.MistralForCausalLM,
        transformers.MistralConfig(**DECODER, sliding_window=5, rope_parameters=THETA, tie_word_embeddings=False),
    ),
    "bert": (transformers.BertForMaskedLM, transformers.BertConfig(**ENCODER)),
    "bert-pre-training": (transformers.BertForPreTraining, transformers.BertConfig(**ENCODER)),
    "roberta": (
        transformers.RobertaForMaskedLM,
        transformers.RobertaConfig(**ENCODER, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1),
    ),
    **{
        name: (
            transformers.ModernBertForMaskedLM,
            transformers.ModernBertConfig(
                vocab_size=VOCABULARY,
                hidden_size=16,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=24,
                max_position_embeddings=20,
                hidden_activation=activation,
                local_attention=6,
                global_attn_every_n_layers=2,
                pad_token_id=1,
            ),
        )
        for name, activation in {"modernbert": "silu", "modernbert-published": "gelu"}.items()
    },
}


def generate(name: str) -> None:
    kind, config = MODELS[name]
    config._attn_implementation = "eager"
    torch.manual_seed(sum(map(ord, name)))
    model = kind(config).float().eval()
    with torch.no_grad():
        for parameter_name, weight in model.named_parameters():
            is_norm = weight.dim() == 1 and parameter_name.endswith("weight")
            weight.copy_((1 if is_norm else 0) + 0.25 * torch.randn_like(weight))
    is_encoder = "bert" in name
    tokens = torch.randint(2, VOCABULARY, (SEQUENCES, LENGTH))
    types = (torch.arange(LENGTH) >= LENGTH // 2).long().expand(SEQUENCES, -1)
    inputs = {}
    lengths = [LENGTH] * SEQUENCES
    if is_encoder:
        lengths = [LENGTH, LENGTH - 4]
        inputs["attention_mask"] = (torch.arange(LENGTH)[None] < torch.tensor(lengths)[:, None]).long()
        tokens[1, lengths[1]:] = 1
        if name.startswith("bert"):
            inputs["token_type_ids"] = types
    targets = torch.full_like(tokens, IGNORED)
    chosen = torch.rand(targets.shape) < (0.4 if is_encoder else 0.85)
    chosen &= torch.arange(LENGTH)[None] < torch.tensor(lengths)[:, None]
    targets[chosen] = torch.randint(2, VOCABULARY, targets.shape)[chosen]
    labels = torch.tensor([0, 1])

    def forward():
        output = model(input_ids=tokens, **inputs)
        logits = output.prediction_logits if name == "bert-pre-training" else output.logits
        loss = functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1), ignore_index=IGNORED)
        if name == "bert-pre-training":
            loss = loss + functional.cross_entropy(output.seq_relationship_logits, labels)
        return logits, loss

    weights = lambda: {key: value.detach().clone() for key, value in model.named_parameters()}
    initial = weights()
    logits, loss = forward()
    loss.backward()
    gradients = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
    missing = [key for key, value in model.named_parameters() if value.grad is None]
    assert not missing, missing
    groups = [
        {"params": [one for one in model.parameters() if one.dim() > 1], "weight_decay": 0.1},
        {"params": [one for one in model.parameters() if one.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, foreach=False)
    steps = []
    for _ in range(STEPS):
        model.zero_grad()
        _, step_loss = forward()
        step_loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
        optimizer.step()
        steps.append({"loss": step_loss.item(), "gradientNorm": norm.item()})
    tensors = {"initial": initial, "gradients": gradients, "final": weights(), "outputs": {"logits": logits.detach()}}
    save_file(
        {f"{group}/{key}": value.contiguous() for group, values in tensors.items() for key, value in values.items()},
        FIXTURES / f"{name}.safetensors",
    )
    config_json = json.loads(model.config.to_json_string())
    config_json["architectures"] = [kind.__name__]
    described = {
        "transformers": transformers.__version__,
        "config": config_json,
        "sequences": SEQUENCES,
        "length": LENGTH,
        "lengths": lengths,
        "tokens": tokens.flatten().tolist(),
        "types": types.flatten().tolist() if "token_type_ids" in inputs else None,
        "targets": targets.masked_fill(targets == IGNORED, -1).flatten().tolist(),
        "sentenceLabels": labels.tolist() if name == "bert-pre-training" else None,
        "loss": loss.item(),
        "steps": steps,
    }
    (FIXTURES / f"{name}.json").write_text(json.dumps(described) + "\n")
    print(f"{name}: loss {loss.item():.4f}, logits to {logits.abs().max():.2f}, last step {steps[-1]}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for each in sys.argv[1:] or MODELS:
        generate(each)
