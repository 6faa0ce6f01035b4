"""Writes test/golden/fixtures/adaptation: what peft, trl's formulas and transformers compute for small adapted models.

Made with Python 3.11-3.13, torch 2.15.0, transformers 5.24.0, peft 0.21.2, trl 1.16.0 and safetensors (any), on the CPU in f32
with eager attention and one thread. Other versions give other bits, within the tolerances of test/golden/adaptation.test.ts.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as functional
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures" / "adaptation"
VOCABULARY, WIDTH, CLASSES, STEPS = 61, 16, 3, 5
LENGTHS, LENGTH = [9, 12], 12

ENCODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=WIDTH,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=20,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    pad_token_id=0,
)
LLAMA = dict(
    vocab_size=VOCABULARY,
    hidden_size=WIDTH,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=24,
    max_position_embeddings=20,
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
    use_cache=False,
    pad_token_id=0,
)
GPT2 = dict(
    vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=20, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, pad_token_id=0
)
MODERNBERT = dict(
    vocab_size=VOCABULARY,
    hidden_size=WIDTH,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=20,
    hidden_activation="silu",
    classifier_pooling="mean",
    attention_dropout=0.0,
    embedding_dropout=0.0,
    mlp_dropout=0.0,
    classifier_dropout=0.0,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    cls_token_id=1,
    sep_token_id=2,
    reference_compile=False,
)
CONFIGS = {
    "gpt2": transformers.GPT2Config(**GPT2),
    "llama": transformers.LlamaConfig(**LLAMA),
    "bert": transformers.BertConfig(**ENCODER),
    "roberta": transformers.RobertaConfig(**{**ENCODER, "max_position_embeddings": 22, "pad_token_id": 1, "type_vocab_size": 1}),
    "modernbert": transformers.ModernBertConfig(**MODERNBERT),
}
LANGUAGE = {
    "gpt2": transformers.GPT2LMHeadModel,
    "llama": transformers.LlamaForCausalLM,
    "bert": transformers.BertForMaskedLM,
    "roberta": transformers.RobertaForMaskedLM,
    "modernbert": transformers.ModernBertForMaskedLM,
}
HEADS = {
    "gpt2": (transformers.GPT2ForSequenceClassification, transformers.GPT2ForTokenClassification),
    "llama": (transformers.LlamaForSequenceClassification, transformers.LlamaForTokenClassification),
    "bert": (transformers.BertForSequenceClassification, transformers.BertForTokenClassification),
    "roberta": (transformers.RobertaForSequenceClassification, transformers.RobertaForTokenClassification),
    "modernbert": (transformers.ModernBertForSequenceClassification, transformers.ModernBertForTokenClassification),
}


def noisy(model, deviation=0.1):
    """Every parameter away from zeros and ones, so that no part of a model is without effect."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * deviation)
    return model.eval()


def tokens_and_mask(padding):
    tokens = torch.randint(3, VOCABULARY, (len(LENGTHS), LENGTH))
    mask = torch.zeros_like(tokens)
    for row, length in enumerate(LENGTHS):
        tokens[row, length:] = padding
        mask[row, :length] = 1
    return tokens, mask


def flat(tensor):
    return [float(value) for value in tensor.detach().flatten()]


def own(tensors):
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def heads(name):
    """Logits of both heads over one body; the file holds the language model too, as Tilth's do."""
    config = CONFIGS[name]
    config._attn_implementation = "eager"
    config.num_labels = CLASSES
    language = noisy(LANGUAGE[name](config))
    padding = config.pad_token_id
    tokens, mask = tokens_and_mask(padding)
    result = {"config": config.to_dict(), "tokens": tokens.flatten().tolist(), "lengths": LENGTHS, "length": LENGTH, "padding": padding}
    tensors = {}
    for task, kind in zip(("sequence", "token"), HEADS[name]):
        model = noisy(kind(config))
        body = {key: value for key, value in language.state_dict().items() if key in model.state_dict()}
        model.load_state_dict(body, strict=False)
        with torch.no_grad():
            logits = model(input_ids=tokens, attention_mask=mask).logits
        result[task] = flat(logits if task == "sequence" else torch.cat([logits[row, :length] for row, length in enumerate(LENGTHS)]))
        extra = {key: value for key, value in model.state_dict().items() if key not in language.state_dict()}
        tensors |= {f"{task}/{key}": value for key, value in own(extra).items()}
    tied = {"lm_head.weight", "lm_head.decoder.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "lm_head.decoder.bias", "decoder.weight"}
    body = {key: value for key, value in own(language.state_dict()).items() if key not in tied}
    (FIXTURES / f"heads-{name}.json").write_text(json.dumps(result))
    save_file(body, FIXTURES / f"heads-{name}.safetensors", {"format": "pt"})
    save_file(tensors, FIXTURES / f"heads-{name}-extra.safetensors", {"format": "pt"})


def lora(name, targets, fan_in_fan_out):
    """Loss, gradients and a few AdamW steps of adapters whose second matrix is no longer zero."""
    config = CONFIGS[name]
    base = noisy(LANGUAGE[name](config))
    tied = {"lm_head.weight"}
    body = {key: value for key, value in own(base.state_dict()).items() if key not in tied}
    model = get_peft_model(
        base, LoraConfig(r=3, lora_alpha=6, lora_dropout=0.0, target_modules=targets, fan_in_fan_out=fan_in_fan_out, task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    folder = FIXTURES / f"lora-{name}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    save_file(body, folder / "model.safetensors", {"format": "pt"})
    tokens, _ = tokens_and_mask(0)
    targets_ = torch.randint(3, VOCABULARY, tokens.shape)
    targets_[0, 5:] = -100

    def loss_of():
        logits = model(input_ids=tokens).logits
        return logits, functional.cross_entropy(logits.flatten(0, 1), targets_.flatten())

    logits, loss = loss_of()
    loss.backward()
    trained = [(key, parameter) for key, parameter in model.named_parameters() if parameter.requires_grad]
    gradients = {key.replace(".default", ""): parameter.grad.clone() for key, parameter in trained}
    save_file(gradients, folder / "gradients.safetensors")
    optimizer = torch.optim.AdamW([parameter for _, parameter in trained], lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        _, step_loss = loss_of()
        step_loss.backward()
        losses.append(float(step_loss))
        optimizer.step()
    result = {
        "config": config.to_dict(),
        "tokens": tokens.flatten().tolist(),
        "targets": targets_.flatten().tolist(),
        "sequences": len(LENGTHS),
        "length": LENGTH,
        "logits": flat(logits),
        "loss": float(loss.detach()),
        "losses": losses,
    }
    (folder / "golden.json").write_text(json.dumps(result))


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(CONFIGS):
        torch.manual_seed(100 + index)
        heads(name)
    torch.manual_seed(7)
    lora("llama", ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"], False)
    torch.manual_seed(8)
    lora("gpt2", ["c_attn", "c_fc"], True)


if __name__ == "__main__":
    sys.exit(main())
