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


CHATS = [
    [{"role": "user", "content": "What is tilth?"}, {"role": "assistant", "content": "Soil that is ready for growth."}],
    [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "Two and two?"},
        {"role": "assistant", "content": " Four.\n"},
        {"role": "user", "content": "And a <|im_end|> in a text? Ça va — déjà vu?"},
        {"role": "assistant", "content": "Déjà vu, 你好."},
    ],
]
CHATML = """{% for message in messages %}
{%- if message['role'] == 'assistant' %}
{{ '<|im_start|>assistant\n' }}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}
{%- else %}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
# Words of the assistant run into the token before them: what is marked begins within a token's neighbourhood.
INLINE = "{% for message in messages %}{% if message['role'] == 'assistant' %}{{ ' says' }}{% generation %}{{ ' ' + message['content'] | trim + eos_token }}{% endgeneration %}{% else %}{{ message['role'] + ': ' + message['content'] + ' |' }}{% endif %}{% endfor %}"


def chats():
    """Texts, tokens and assistant masks of transformers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([turn["content"] for chat in CHATS for turn in chat] * 4 + ["user assistant system says:"] * 8, trainer)
    tokenizer.save(str(FIXTURES / "chat-tokenizer.json"))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    result = []
    for name, template in [("chatml", CHATML), ("inline", INLINE)]:
        for chat in CHATS:
            made = fast.apply_chat_template(
                chat, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
            )
            text = fast.apply_chat_template(chat, chat_template=template, tokenize=False)
            result.append(
                {"template": template, "name": name, "messages": chat, "text": text, "ids": made["input_ids"], "mask": made["assistant_masks"]}
            )
    (FIXTURES / "chats.json").write_text(json.dumps(result))


def preferences():
    """Losses and gradients of DPO and IPO as trl 1.16 computes them (dpo_trainer.py: "sigmoid", "ipo" by tokens)."""
    config = CONFIGS["llama"]
    policy, reference = noisy(LANGUAGE["llama"](config)), noisy(LANGUAGE["llama"](config))
    for name, model in (("policy", policy), ("reference", reference)):
        body = {key: value for key, value in own(model.state_dict()).items() if key != "lm_head.weight"}
        save_file(body, FIXTURES / f"dpo-{name}.safetensors", {"format": "pt"})
    pairs = [
        {
            "prompt": torch.randint(3, VOCABULARY, (4 + pair,)).tolist(),
            "chosen": torch.randint(3, VOCABULARY, (3 + 2 * pair,)).tolist(),
            "rejected": torch.randint(3, VOCABULARY, (5 - pair,)).tolist(),
        }
        for pair in range(3)
    ]

    def log_probability(model, prompt, response):
        tokens = torch.tensor([prompt + response])
        logs = model(input_ids=tokens).logits.log_softmax(-1)[0, :-1]
        picked = logs.gather(1, tokens[0, 1:, None])[:, 0]
        return picked[len(prompt) - 1 :].sum()

    result = {"config": config.to_dict(), "pairs": pairs, "beta": 0.3}
    gradients = {}
    for kind in ("sigmoid", "ipo"):
        policy.zero_grad()
        losses = []
        for pair in pairs:
            ratios = {}
            for side in ("chosen", "rejected"):
                with torch.no_grad():
                    before = log_probability(reference, pair["prompt"], pair[side])
                ratios[side] = log_probability(policy, pair["prompt"], pair[side]) - before
            if kind == "sigmoid":
                losses.append(-functional.logsigmoid(0.3 * (ratios["chosen"] - ratios["rejected"])))
            else:
                delta = ratios["chosen"] / len(pair["chosen"]) - ratios["rejected"] / len(pair["rejected"])
                losses.append((delta - 1 / (2 * 0.3)) ** 2)
        loss = torch.stack(losses).mean()
        loss.backward()
        result[kind] = float(loss.detach())
        for key, parameter in policy.named_parameters():
            gradients[f"{kind}/{key}"] = parameter.grad.clone()
    save_file(gradients, FIXTURES / "dpo-gradients.safetensors")
    (FIXTURES / "dpo.json").write_text(json.dumps(result))


def image_head():
    """Logits of CLIP's image classifier over a whole CLIP, whose other weights the file holds too."""
    tower = dict(hidden_size=WIDTH, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu")
    config = transformers.CLIPConfig(
        text_config={**tower, "vocab_size": VOCABULARY, "max_position_embeddings": 12, "eos_token_id": 60, "bos_token_id": 60, "pad_token_id": 60},
        vision_config={**tower, "image_size": 12, "patch_size": 4},
        projection_dim=8,
    )
    config._attn_implementation = "eager"
    config.num_labels = CLASSES
    model = noisy(transformers.CLIPModel(config))
    classifier = noisy(transformers.CLIPForImageClassification(config))
    classifier.load_state_dict({key: value for key, value in model.state_dict().items() if key in classifier.state_dict()}, strict=False)
    pixels = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        logits = classifier(pixel_values=pixels).logits
    body = {key: value for key, value in own(model.state_dict()).items() if not key.endswith("position_ids")}
    head = {key: value for key, value in own(classifier.state_dict()).items() if key.startswith("classifier.")}
    save_file(body | head, FIXTURES / "heads-clip.safetensors", {"format": "pt"})
    (FIXTURES / "heads-clip.json").write_text(json.dumps({"config": config.to_dict(), "pixels": flat(pixels), "logits": flat(logits)}))


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
    chats()
    torch.manual_seed(10)
    image_head()
    torch.manual_seed(9)
    preferences()


if __name__ == "__main__":
    sys.exit(main())
