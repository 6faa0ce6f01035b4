"""Writes test/golden/fixtures/image-text: what transformers and open_clip compute for small CLIPs, a SigLIP and a ViT, as the
oracle of test/golden/image-text.test.ts.

Made with Python 3.11, torch 2.15.0, transformers 5.24.0, open_clip_torch 3.3.0 and safetensors, on the CPU in f32 with eager
attention and one thread.
"""

import copy
import json
import tempfile
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as functional
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel, ViTConfig, ViTForImageClassification

FIXTURES = Path(__file__).parent / "fixtures" / "image-text"
PAIRS, LENGTH, VOCABULARY, IMAGE, PATCH, WIDTH, STEPS = 5, 9, 40, 16, 8, 16, 10
END = VOCABULARY - 1

TOWER = {"hidden_size": WIDTH, "intermediate_size": 24, "num_attention_heads": 2, "attn_implementation": "eager"}


def clip():
    config = CLIPConfig(
        text_config={**TOWER, "num_hidden_layers": 2, "vocab_size": VOCABULARY, "max_position_embeddings": LENGTH,
                     "bos_token_id": 0, "eos_token_id": END},
        vision_config={**TOWER, "hidden_size": 24, "num_hidden_layers": 2, "image_size": IMAGE, "patch_size": PATCH},
        projection_dim=12,
        attn_implementation="eager",
    )
    return CLIPModel(config), json.loads(config.to_json_string())


def siglip():
    config = SiglipConfig(
        text_config={**TOWER, "num_hidden_layers": 1, "vocab_size": VOCABULARY, "max_position_embeddings": LENGTH,
                     "bos_token_id": 0, "eos_token_id": END, "pad_token_id": END},
        vision_config={**TOWER, "num_hidden_layers": 1, "image_size": IMAGE, "patch_size": PATCH},
        attn_implementation="eager",
    )
    return SiglipModel(config), json.loads(config.to_json_string())


def openclip():
    config = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": IMAGE, "layers": 1, "width": WIDTH, "head_width": 8, "patch_size": PATCH},
        "text_cfg": {"context_length": LENGTH, "vocab_size": VOCABULARY, "width": WIDTH, "heads": 2, "layers": 1},
    }
    return open_clip.CLIP(**config), config


def vit():
    config = ViTConfig(**TOWER, num_hidden_layers=2, image_size=IMAGE, patch_size=PATCH, num_labels=3)
    model = ViTForImageClassification(config)
    model.config.architectures = ["ViTForImageClassification"]
    return model, json.loads(model.config.to_json_string())


def randomise(model) -> None:
    torch.manual_seed(4)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in ("logit_scale", "logit_bias"):
                weight.fill_(2.0 if name == "logit_scale" else -3.0)
            elif weight.dim() == 1 and name.endswith("weight"):
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            else:
                weight.copy_(0.25 * torch.randn_like(weight))


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels, and tokens whose texts end at different places; what follows the end is the end's token again."""
    torch.manual_seed(7)
    tokens = torch.randint(1, END, (PAIRS, LENGTH))
    for row, end in enumerate([3, LENGTH - 1, 5, 1, 7]):
        tokens[row, end:] = END
    return (torch.randn(PAIRS, 3, IMAGE, IMAGE) * 64).round() / 64, tokens


def embeddings(name, model, pixels, tokens):
    if name == "open-clip":
        return model.encode_image(pixels, normalize=True), model.encode_text(tokens, normalize=True)
    out = model(pixel_values=pixels, input_ids=tokens)
    return out.image_embeds, out.text_embeds


def loss_of(name, model, pixels, tokens) -> torch.Tensor:
    if name == "vit":
        return functional.cross_entropy(model(pixel_values=pixels).logits, torch.arange(PAIRS) % 3)
    if name == "open-clip":
        images, texts = embeddings(name, model, pixels, tokens)
        return open_clip.ClipLoss()(images, texts, model.logit_scale.exp())
    return model(pixel_values=pixels, input_ids=tokens, return_loss=True).loss


def saved(model, values) -> dict[str, torch.Tensor]:
    """Values of parameters under the names that the model's own file has, which may not be those in memory."""
    if not hasattr(model, "save_pretrained") or isinstance(model, open_clip.CLIP):
        return values
    other = copy.deepcopy(model)
    with torch.no_grad():
        for key, weight in other.named_parameters():
            weight.copy_(values.get(key, torch.zeros_like(weight)))
    with tempfile.TemporaryDirectory() as folder:
        other.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


def generate(name: str, make) -> None:
    model, config = make()
    model = model.float().eval()
    randomise(model)
    pixels, tokens = inputs()
    parameters = dict(model.named_parameters())
    values = lambda: {key: value.detach().clone() for key, value in parameters.items()}
    initial = saved(model, values())
    with torch.no_grad():
        if name == "vit":
            outputs = {"logits": model(pixel_values=pixels).logits,
                       "features": model.vit(pixel_values=pixels).last_hidden_state[:, 0]}
        else:
            images, texts = embeddings(name, model, pixels, tokens)
            outputs = {"images": images, "texts": texts}
    loss = loss_of(name, model, pixels, tokens)
    loss.backward()
    gradients = {key: value.grad.clone() for key, value in parameters.items() if value.grad is not None}

    # Decay for tables and matrices; class tokens, biases, norms and temperatures have none.
    decays = lambda key, value: value.dim() > 1 and "cls_token" not in key
    used = {key: value for key, value in parameters.items() if key in gradients}
    optimizer = torch.optim.AdamW(
        [{"params": [v for k, v in used.items() if decays(k, v)], "weight_decay": 0.1},
         {"params": [v for k, v in used.items() if not decays(k, v)], "weight_decay": 0.0}],
        lr=3e-3, betas=(0.9, 0.95), eps=1e-8, foreach=False)
    steps = []
    for _ in range(STEPS):
        model.zero_grad()
        step_loss = loss_of(name, model, pixels, tokens)
        step_loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(used.values(), 1.0, foreach=False)
        optimizer.step()
        steps.append({"loss": step_loss.item(), "gradientNorm": norm.item()})
    groups = {"initial": initial, "gradients": saved(model, gradients), "final": saved(model, values()), "outputs": outputs}
    save_file({f"{group}/{key}": value.contiguous() for group, tensors in groups.items() for key, value in tensors.items()},
              FIXTURES / f"{name}.safetensors")
    described = {"versions": {"torch": torch.__version__, "open_clip": open_clip.__version__}, "config": config,
                 "pairs": PAIRS, "length": LENGTH, "pixels": pixels.flatten().tolist(),
                 "tokens": tokens.flatten().tolist(), "loss": loss.item(), "steps": steps}
    (FIXTURES / f"{name}.json").write_text(json.dumps(described) + "\n")
    print(name, loss.item(), steps[-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    generate("clip", clip)
    generate("open-clip", openclip)
    generate("siglip", siglip)
    generate("vit", vit)
