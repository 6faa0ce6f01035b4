import { readFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import {
  augmentationSettings,
  centredView,
  decodeImage,
  type ImageSettings,
  imageSettings,
  prepareImage,
  randomView,
} from "../../src/images/index.ts";

interface Case {
  readonly file: string;
  readonly resize: "crop" | "squash";
  readonly size: number;
  readonly expected: string;
}

const fixtures = "test/images/fixtures";
const cases = JSON.parse(readFileSync(`${fixtures}/cases.json`, "utf8")) as Case[];

/** Differences of bytes, before normalisation. */
async function differences({ file, resize, size, expected }: Case): Promise<{ largest: number; mean: number }> {
  const settings = imageSettings.parse({ size, resize });
  const pixels = await prepareImage(readFileSync(`${fixtures}/${file}`), settings, (w, h) =>
    centredView(w, h, settings),
  );
  const { data } = await decodeImage(readFileSync(`${fixtures}/${expected}`));
  let [largest, sum] = [0, 0];
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < size * size; i++) {
      const value = pixels[channel * size * size + i] * settings.standardDeviation[channel] + settings.mean[channel];
      const difference = Math.abs(value * 255 - data[i * 3 + channel]);
      largest = Math.max(largest, difference);
      sum += difference;
    }
  }
  return { largest, mean: sum / (3 * size * size) };
}

describe("the pixels that transformers' image processors make with Pillow", () => {
  it.each(cases.filter(({ file }) => file.endsWith(".png")))(
    "are ours exactly: $file, $resize to $size",
    async (one) => {
      expect((await differences(one)).largest).toBeLessThan(1e-3);
    },
  );

  // Decoders of JPEG differ by a unit; sharp shrinks what is larger than a megapixel by rounder steps.
  it.each([
    { file: "photo.jpg", meanLimit: 0.3, limit: 4 },
    { file: "huge.jpg", meanLimit: 1.5, limit: 16 },
  ])("are ours within $meanLimit of 255 on average, $limit at most: $file", async ({ file, meanLimit, limit }) => {
    for (const one of cases.filter((some) => some.file === file)) {
      const { largest, mean } = await differences(one);
      expect(mean).toBeLessThan(meanLimit);
      expect(largest).toBeLessThanOrEqual(limit);
    }
  });
});

describe("a random view", () => {
  const settings: ImageSettings = imageSettings.parse({ size: 32 });
  const augmentation = augmentationSettings.parse({ cropShare: [0.3, 0.8], flip: 0.5 });

  it("depends on its keys alone and stays within the image", () => {
    const views = Array.from({ length: 200 }, (_, index) => randomView(97, 61, settings, augmentation, 1, 5, index));
    expect(Array.from({ length: 200 }, (_, index) => randomView(97, 61, settings, augmentation, 1, 5, index))).toEqual(
      views,
    );
    expect(new Set(views.map((view) => JSON.stringify(view))).size).toBeGreaterThan(190);
    for (const { region } of views) {
      expect(region.left + region.width).toBeLessThanOrEqual(97);
      expect(region.top + region.height).toBeLessThanOrEqual(61);
      const share = (region.width * region.height) / (97 * 61);
      expect(share).toBeGreaterThan(0.27);
      expect(share).toBeLessThan(0.83);
    }
    const flipped = views.filter(({ flip }) => flip).length;
    expect(flipped).toBeGreaterThan(70);
    expect(flipped).toBeLessThan(130);
  });

  it("falls back to the middle of an image that no crop fits", () => {
    const { region } = randomView(1000, 2, settings, augmentation, 1);
    expect(region).toEqual({ left: 498, top: 0, width: 3, height: 2 });
  });

  it("shows a flipped image mirrored", async () => {
    const data = Buffer.from([255, 0, 0, 0, 0, 255]);
    const image = await sharp(data, { raw: { width: 2, height: 1, channels: 3 } })
      .png()
      .toBuffer();
    const small = imageSettings.parse({ size: 2, resize: "squash", mean: [0, 0, 0], standardDeviation: [1, 1, 1] });
    const whole = { region: { left: 0, top: 0, width: 2, height: 1 }, width: 2, height: 2, crop: { left: 0, top: 0 } };
    const shown = await prepareImage(image, small, () => ({ ...whole, flip: true }));
    expect([...shown.slice(0, 4)]).toEqual([0, 1, 0, 1]);
  });
});

describe("an image with transparency", () => {
  it("lies on the background that is asked for", async () => {
    const data = Buffer.from([10, 20, 30, 0]);
    const image = await sharp(data, { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(image, "#ffffff")).data]).toEqual([255, 255, 255]);
    expect([...(await decodeImage(image)).data]).toEqual([10, 20, 30]);
  });
});
