"""What every peer of a training step has in common: how it is asked, warmed, timed, and what it says.

Reads one JSON line of sizes and settings on stdin, prints {"ready": ...} once the step is warm, then answers every line
"step" with the seconds of one step and "end" with the peak memory.
"""

import json
import resource
import sys
import time

import torch


def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)


def training_step(one, model, loss_of, after=lambda: None):
    """A step of AdamW with clipping: `loss_of(forward)` under autocast, where `forward` is the model, compiled if asked."""
    optimizer = optimizer_of(model)
    forward = torch.compile(model) if one["compile"] else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=one["precision"] == "bf16"):
            loss = loss_of(forward)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        after()

    return step


def serve(build, version):
    """`build(one)` makes the step from the settings."""
    one = json.loads(sys.stdin.readline())
    torch.set_num_threads(one["threads"])
    torch.set_float32_matmul_precision(one.get("float32Precision", "highest"))
    torch.manual_seed(1)
    step = build(one)
    for _ in range(2):
        step()
    print(json.dumps({"ready": True, "version": f"{version}torch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        started = time.perf_counter()
        step()
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
    print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
