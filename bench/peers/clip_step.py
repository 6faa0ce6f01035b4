"""open_clip's side of `npm run bench -- clip-step --peer`: a training step of a CLIP, timed on request.

Protocol as train_step.py's. Pinned: open_clip_torch 3.3, torch 2.9 or later.
"""

import json
import resource
import sys
import time

import open_clip
import torch


def main():
    one = json.loads(sys.stdin.readline())
    torch.set_num_threads(one["threads"])
    torch.manual_seed(1)
    vision, text = one["vision"], one["text"]
    model = open_clip.CLIP(
        embed_dim=one["embeddingWidth"],
        quick_gelu=one["activation"] == "quick-gelu",
        vision_cfg={
            "image_size": vision["imageSize"],
            "layers": vision["layers"],
            "width": vision["width"],
            "head_width": vision["width"] // vision["attentionHeads"],
            "patch_size": vision["patchSize"],
        },
        text_cfg={
            "context_length": one["context"],
            "vocab_size": one["vocabularySize"],
            "width": text["width"],
            "heads": text["attentionHeads"],
            "layers": text["layers"],
        },
    )
    loss = open_clip.ClipLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if one["compile"] else model
    pixels = torch.randn(one["pairs"], 3, vision["imageSize"], vision["imageSize"])
    tokens = torch.randint(1, one["vocabularySize"] - 1, (one["pairs"], one["context"]))
    tokens[:, -1] = one["vocabularySize"] - 1

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=one["precision"] == "bf16"):
            images, texts, scale = forward(pixels, tokens)[:3]
            value = loss(images, texts, scale)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)

    for _ in range(2):
        step()
    print(json.dumps({"ready": True, "version": f"open_clip {open_clip.__version__}, torch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        started = time.perf_counter()
        step()
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
    print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


main()
