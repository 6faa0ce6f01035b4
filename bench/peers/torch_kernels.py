"""PyTorch's side of the single-kernel benchmarks: gemm, attention, cross-entropy, optimizer. Protocol as train_step.py's."""

import json
import resource
import sys
import time

import torch
import torch.nn.functional as F


def gemm(one, kind):
    m, n, k = one["m"], one["n"], one["k"]
    x, weight = torch.randn(m, k, dtype=kind), torch.randn(n, k, dtype=kind)
    return lambda: F.linear(x, weight)


def attention(one, kind):
    shape = (one["sequences"], one["heads"], one["length"], one["headSize"])
    q, k, v = (torch.randn(shape, dtype=kind, requires_grad=True) for _ in range(3))
    gradient = torch.randn(shape, dtype=kind)

    def work():
        F.scaled_dot_product_attention(q, k, v, is_causal=True).backward(gradient)
        q.grad = k.grad = v.grad = None

    return work


def cross_entropy(one, kind):
    x = torch.randn(one["tokens"], one["width"], dtype=kind, requires_grad=True)
    weight = (0.02 * torch.randn(one["vocabulary"], one["width"])).to(kind).requires_grad_()
    targets = torch.randint(one["vocabulary"], (one["tokens"],))

    def work():
        F.cross_entropy(F.linear(x, weight).float(), targets).backward()
        x.grad = weight.grad = None

    return work


def optimizer(one, _kind):
    parameter = torch.randn(one["count"], requires_grad=True)
    parameter.grad = torch.randn(one["count"])
    adamw = torch.optim.AdamW([parameter], lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def work():
        torch.nn.utils.clip_grad_norm_([parameter], 1.0)
        adamw.step()

    return work


def main():
    one = json.loads(sys.stdin.readline())
    torch.set_num_threads(one["threads"])
    kind = torch.bfloat16 if one["precision"] == "bf16" else torch.float32
    makers = {"gemm": gemm, "attention": attention, "cross-entropy": cross_entropy, "optimizer": optimizer}
    work = makers[one["kernel"]](one, kind)
    if one["compile"]:
        work = torch.compile(work)
    for _ in range(3):
        work()
    print(json.dumps({"ready": True, "version": f"torch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        started = time.perf_counter()
        for _ in range(one["times"]):
            work()
        print(json.dumps({"seconds": (time.perf_counter() - started) / one["times"]}), flush=True)
    print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


main()
