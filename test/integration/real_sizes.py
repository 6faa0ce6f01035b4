"""Folders as transformers and open_clip write them, at real sizes, and what those libraries compute.

    real_sizes.py write <kind> <folder>     one folder a variant: the model, input and expected outputs
    real_sizes.py check <kind> <folder>     loads the folder <folder>/trained, writes its outputs to back.bin

Weights are random. Outputs are raw f32, [rows, width]; input.json and pixels.bin hold what went in.
"""

import json
import sys
from pathlib import Path

import torch

LENGTH, PAIRS = 48, 3


def noisy(model: torch.nn.Module) -> torch.nn.Module:
    """Biases and norms away from 0 and 1, so that a forgotten one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def build(kind: str, variant: str):
    import transformers as hf

    torch.manual_seed(11)
    if kind == "gpt2":
        model = hf.GPT2LMHeadModel(hf.GPT2Config())
    elif kind == "llama":
        config = hf.LlamaConfig(
            vocab_size=32000, hidden_size=1024, num_hidden_layers=20, num_attention_heads=16, num_key_value_heads=4,
            intermediate_size=2816, max_position_embeddings=2048, tie_word_embeddings=False,
        )
        model = hf.LlamaForCausalLM(config)
    elif kind == "bert":
        model = (hf.BertForPreTraining if "pre-training" in variant else hf.BertForMaskedLM)(hf.BertConfig())
    elif kind == "clip":
        model = hf.CLIPModel(hf.CLIPConfig())
    else:
        import open_clip

        model = open_clip.create_model("ViT-B-32")
    return noisy(model)


def inputs(kind: str, vocabulary: int):
    ids = (torch.arange(LENGTH) * 7919 + 5) % (vocabulary - 2)
    if kind in ("clip", "open_clip"):
        ids = torch.stack([torch.roll(ids, row)[:20] for row in range(PAIRS)])
        ids[:, -1] = vocabulary - 1
        pixels = torch.randn(PAIRS, 3, 224, 224, generator=torch.Generator().manual_seed(3))
        return ids, pixels
    return ids[None], None


def outputs(kind: str, model, ids, pixels) -> torch.Tensor:
    with torch.no_grad():
        if kind == "open_clip":
            padded = torch.zeros(PAIRS, 77, dtype=torch.long)
            padded[:, : ids.shape[1]] = ids
            return torch.cat([model.encode_image(pixels, normalize=True), model.encode_text(padded, normalize=True)])
        if kind == "clip":
            result = model(input_ids=ids, pixel_values=pixels)
            return torch.cat([result.image_embeds, result.text_embeds])
        result = model(input_ids=ids)
        return (result.prediction_logits if hasattr(result, "prediction_logits") else result.logits)[0]


def vocabulary_of(kind: str, model) -> int:
    if kind == "open_clip":
        return model.vocab_size
    return model.config.text_config.vocab_size if kind == "clip" else model.config.vocab_size


TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
VARIANTS = {
    "gpt2": ["f32-single", "f16-sharded-no-prefix", "bf16-sharded"],
    "llama": ["f32-sharded", "f16-single", "bf16-sharded"],
    "bert": ["f32-single-hub-names", "f16-sharded-pre-training", "bf16-single"],
    "clip": ["f32-single", "f16-sharded", "bf16-sharded"],
    "open_clip": ["f32-single", "f16-single", "bf16-single"],
}


def rename(folder: Path) -> None:
    """The names of the first BERT on the hub: no prefix of the body, gamma and beta."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    old = {
        name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in tensors.items()
    }
    save_file(old, path, metadata={"format": "pt"})


def write(kind: str, root: Path) -> None:
    for variant in VARIANTS[kind]:
        folder = root / variant
        folder.mkdir(parents=True)
        model = build(kind, variant).to(TYPES[variant.split("-")[0]])
        if kind == "open_clip":
            import open_clip
            from open_clip.push_to_hf_hub import save_for_hf

            config = open_clip.get_model_config("ViT-B-32")
            save_for_hf(model, NoTokenizer(), config, str(folder), safe_serialization=True)
        else:
            body = model.transformer if "no-prefix" in variant else model
            body.save_pretrained(folder, max_shard_size="100MB" if "sharded" in variant else "20GB")
            if "hub-names" in variant:
                rename(folder)
        ids, pixels = inputs(kind, vocabulary_of(kind, model))
        expected = outputs(kind, model.float(), ids, pixels)
        expected.numpy().tofile(folder / "expected.bin")
        (folder / "input.json").write_text(json.dumps({"ids": ids.tolist(), "shape": list(expected.shape)}))
        if pixels is not None:
            pixels.numpy().tofile(folder / "pixels.bin")


class NoTokenizer:
    """open_clip's own tokenizer is on the hub; the tokens of this test are numbers."""

    def save_pretrained(self, folder) -> None:
        pass


def check(kind: str, root: Path) -> None:
    folder = root / "trained"
    if kind == "open_clip":
        import open_clip

        model = open_clip.create_model(f"local-dir:{folder}").eval()
    else:
        import transformers as hf

        auto = {"bert": hf.AutoModelForMaskedLM, "clip": hf.AutoModel}.get(kind, hf.AutoModelForCausalLM)
        model, info = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        model = model.eval()
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    outputs(kind, model, *inputs(kind, vocabulary_of(kind, model))).numpy().tofile(root / "back.bin")


if __name__ == "__main__":
    command, kind, root = sys.argv[1:]
    (write if command == "write" else check)(kind, Path(root))
