"""Writes test/images/fixtures: what transformers' CLIP and SigLIP image processors make of a few images.

Made with Python 3.11, transformers 5.24.0, Pillow 13.0.0, numpy. Values are the processors' pixels before normalisation
(rescaled to 0..255), which are whole numbers, since Pillow resizes 8-bit images. The images are drawn here, so that they carry
no licence: gradients, stripes and noise hold all frequencies, which is what tells two ways of resizing apart.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

FIXTURES = Path(__file__).parent / "fixtures"


def drawn(width: int, height: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    red = 127 + 120 * np.sin(x * x / width / 9)
    green = 255 * (((x // 5) + (y // 7)) % 2)
    blue = 255 * y / height
    image = np.stack([red, green, blue], -1) + rng.normal(0, 12, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8)


def main() -> None:
    (FIXTURES / "expected").mkdir(parents=True, exist_ok=True)
    transparent = np.dstack([drawn(72, 72, 4), 255 * (np.mgrid[0:72, 0:72].sum(0) % 9 > 3).astype(np.uint8)])
    images = {
        "large.png": Image.fromarray(drawn(260, 230, 1)),
        "small.png": Image.fromarray(drawn(41, 60, 2)),
        "photo.jpg": Image.fromarray(drawn(210, 290, 3)),
        # Above a megapixel, as smooth as a photograph.
        "huge.jpg": Image.fromarray(drawn(120, 90, 7)).resize((1330, 1000), Image.BICUBIC),
        "transparent.png": Image.fromarray(transparent),
        "grey.png": Image.fromarray(drawn(90, 70, 5)[..., 0]),
        "palette.png": Image.fromarray(drawn(80, 70, 6)).quantize(32),
    }
    cases = []
    for name, image in images.items():
        image.save(FIXTURES / name, **({"quality": 85} if name.endswith(".jpg") else {}))
        opened = Image.open(FIXTURES / name).convert("RGB")
        for resize, size in (("crop", 40), ("crop", 96), ("squash", 64)):
            square = {"height": size, "width": size}
            crop = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size=square)
            squash = SiglipImageProcessorPil(size=square, resample=Image.BICUBIC)
            processor = crop if resize == "crop" else squash
            pixels = processor(images=opened, do_normalize=False, return_tensors="np")["pixel_values"][0]
            expected = f"expected/{name.split('.')[0]}-{resize}-{size}.png"
            Image.fromarray(np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0)).save(FIXTURES / expected)
            cases.append({"file": name, "resize": resize, "size": size, "expected": expected})
    (FIXTURES / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


main()
