"""PyTorch's side of `npm run bench -- train-step --peer`: a training step of a Llama or a GPT-2, timed on request.

Protocol: step_protocol.py. Pinned: torch 2.9 or later (torch.optim fused AdamW and scaled_dot_product_attention on the CPU).
"""

import torch
import torch.nn.functional as F
from torch import nn

from step_protocol import serve, training_step


class Block(nn.Module):
    def __init__(self, one):
        super().__init__()
        width, self.heads, self.size = one["width"], one["attentionHeads"], one["headSize"]
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * self.heads * self.size, bias=False)
        self.out = nn.Linear(self.heads * self.size, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, eps=1e-5)
        self.gate_up = nn.Linear(width, 2 * one["mlpWidth"], bias=False)
        self.down = nn.Linear(one["mlpWidth"], width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, self.size).transpose(1, 2)
            for part in self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Llama(nn.Module):
    def __init__(self, one):
        super().__init__()
        self.embedding = nn.Embedding(one["vocabularySize"], one["width"])
        self.blocks = nn.ModuleList(Block(one) for _ in range(one["layers"]))
        self.norm = nn.RMSNorm(one["width"], eps=1e-5)
        half = one["headSize"] // 2
        angles = torch.arange(one["length"])[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.view(-1))


class Gpt2Block(nn.Module):
    def __init__(self, one):
        super().__init__()
        width, self.heads = one["width"], one["attentionHeads"]
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, one["mlpWidth"])
        self.down = nn.Linear(one["mlpWidth"], width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self, one):
        super().__init__()
        self.embedding = nn.Embedding(one["vocabularySize"], one["width"])
        self.positions = nn.Embedding(one["length"], one["width"])
        self.blocks = nn.ModuleList(Gpt2Block(one) for _ in range(one["layers"]))
        self.norm = nn.LayerNorm(one["width"])
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.view(-1))


def build(one):
    shape = (one["sequences"], one["length"])
    tokens = torch.randint(one["vocabularySize"], shape)
    targets = torch.randint(one["vocabularySize"], shape)
    return training_step(one, {"llama": Llama, "gpt2": Gpt2}[one["architecture"]](one), lambda forward: forward(tokens, targets))


serve(build, "")
