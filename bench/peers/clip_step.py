"""open_clip's side of `npm run bench -- clip-step --peer`: a training step of a CLIP, timed on request.

Protocol: step_protocol.py. Pinned: open_clip_torch 3.3, torch 2.9 or later.
"""

import open_clip
import torch

from step_protocol import serve, training_step


def build(one):
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
    pixels = torch.randn(one["pairs"], 3, vision["imageSize"], vision["imageSize"])
    tokens = torch.randint(1, one["vocabularySize"] - 1, (one["pairs"], one["context"]))
    tokens[:, -1] = one["vocabularySize"] - 1

    def loss_of(forward):
        images, texts, scale = forward(pixels, tokens)[:3]
        return loss(images, texts, scale)

    def clamp():
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)

    return training_step(one, model, loss_of, after=clamp)


serve(build, f"open_clip {open_clip.__version__}, ")
