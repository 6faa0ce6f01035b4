"""Writes test/golden/fixtures: what PyTorch computes for two small Llamas, as the oracle of test/golden/llama.test.ts.

Made with Python 3.11-3.13, torch 2.15.0, transformers 5.24.0 and safetensors (any), on the CPU in f32 with eager
attention and one thread. Other versions give other bits, within the test's tolerances. See README.md beside this file.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as functional
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).parent / "fixtures"
SEQUENCES, LENGTH, VOCABULARY, END_OF_TEXT, STEPS = 3, 24, 97, 0, 10
IGNORED = -100  # PyTorch's mark; the fixtures hold -1


def build(tied: bool) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=LENGTH,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=tied,
        attn_implementation="eager",
        use_cache=False,
    )
    torch.manual_seed(1234 + tied)
    model = LlamaForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Large enough that attention is not uniform, norms are not all one and logits reach some units.
            if weight.dim() == 1:
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            else:
                weight.copy_(0.25 * torch.randn_like(weight))
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens in which END_OF_TEXT ends a document here and there, and their successors, some ignored."""
    torch.manual_seed(77)
    stream = torch.randint(1, VOCABULARY, (SEQUENCES, LENGTH + 1))
    for row, column in [(0, 7), (0, 8), (1, 0), (1, 15), (2, LENGTH - 1)]:
        stream[row, column] = END_OF_TEXT
    tokens, targets = stream[:, :-1].clone(), stream[:, 1:].clone()
    targets[torch.rand(targets.shape) < 0.15] = IGNORED
    targets[1, :4] = IGNORED
    return tokens, targets


def document_mask(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First visible position of every token (a document begins after END_OF_TEXT), and the additive causal mask."""
    visible_from = torch.zeros_like(tokens)
    for row in range(SEQUENCES):
        start = 0
        for column in range(LENGTH):
            visible_from[row, column] = start
            if tokens[row, column] == END_OF_TEXT:
                start = column + 1
    query, key = torch.arange(LENGTH)[:, None], torch.arange(LENGTH)[None, :]
    seen = (key <= query) & (key >= visible_from[:, :, None])
    mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
    return visible_from, mask[:, None]


def mean_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1), ignore_index=IGNORED)


def weights_of(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def gradients_of(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def save(path: Path, **groups: dict[str, torch.Tensor]) -> None:
    save_file({f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}, path)


def adamw(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    return [adamw_over(matrices, [weight for weight in model.parameters() if weight.dim() == 1])]


def adamw_over(decayed: list[torch.Tensor], plain: list[torch.Tensor]) -> torch.optim.Optimizer:
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8, foreach=False)


def muon(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """torch's Muon for the layers' matrices, AdamW for the rest."""
    named = list(model.named_parameters())
    hidden = [weight for name, weight in named if weight.dim() > 1 and "layers" in name]
    others = [weight for name, weight in named if weight.dim() > 1 and "layers" not in name]
    # torch orthogonalises in bf16, which would hide errors of our f32.
    torch.bfloat16 = torch.float32
    step = torch.optim.Muon(hidden, lr=1e-2, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    return [step, adamw_over(others, [weight for _, weight in named if weight.dim() == 1])]


def train(model, tokens, targets, positions, optimizers: list[torch.optim.Optimizer]) -> list[dict[str, float]]:
    steps = []
    for _ in range(STEPS):
        model.zero_grad()
        step_loss = mean_loss(model(input_ids=tokens, position_ids=positions).logits, targets)
        step_loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
        for optimizer in optimizers:
            optimizer.step()
        steps.append({"loss": step_loss.item(), "gradientNorm": norm.item()})
    return steps


def generate(name: str, tied: bool) -> None:
    model = build(tied)
    tokens, targets = batch()
    visible_from, mask = document_mask(tokens)
    positions = torch.arange(LENGTH)[None].expand(SEQUENCES, -1)
    initial = weights_of(model)

    masked_logits = model(input_ids=tokens, attention_mask=mask, position_ids=positions).logits
    masked_loss = mean_loss(masked_logits, targets)
    masked_loss.backward()
    masked_gradients = gradients_of(model)
    model.zero_grad()

    logits = model(input_ids=tokens, position_ids=positions).logits
    loss = mean_loss(logits, targets)
    loss.backward()
    gradients = gradients_of(model)
    model.zero_grad()

    steps = train(model, tokens, targets, positions, adamw(model))
    final = weights_of(model)

    with torch.no_grad():
        for weight_name, weight in model.named_parameters():
            weight.copy_(initial[weight_name])
    muon_steps = train(model, tokens, targets, positions, muon(model))

    save(
        FIXTURES / f"{name}.safetensors",
        initial=initial,
        gradients=gradients,
        maskedGradients=masked_gradients,
        final=final,
        muonFinal=weights_of(model),
        outputs={"logits": logits.detach(), "maskedLogits": masked_logits.detach()},
    )
    described = {
        "torch": torch.__version__,
        "config": json.loads(model.config.to_json_string()),
        "sequences": SEQUENCES,
        "length": LENGTH,
        "tokens": tokens.flatten().tolist(),
        "targets": targets.masked_fill(targets == IGNORED, -1).flatten().tolist(),
        "visibleFrom": visible_from.flatten().tolist(),
        "loss": loss.item(),
        "maskedLoss": masked_loss.item(),
        "steps": steps,
        "muonSteps": muon_steps,
    }
    (FIXTURES / f"{name}.json").write_text(json.dumps(described, indent=1) + "\n")
    print(f"{name}: loss {loss.item():.4f}, documents {masked_loss.item():.4f}, logits to {logits.abs().max():.2f},"
          f" last step {steps[-1]}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FIXTURES.mkdir(exist_ok=True)
    generate("untied", tied=False)
    generate("tied", tied=True)
