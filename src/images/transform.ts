/** From the bytes of an image file to the numbers that a vision model reads: decode, resize, crop, flip, normalise. */
import sharp, { type Sharp } from "sharp";
import { z } from "zod";
import { messageOf, Random, settingsObject } from "../foundation/index.ts";
import { type RawImage, type Region, resampleBicubic } from "./resample.ts";

const share = z.number().min(0).max(1);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** How images become model input. The defaults are CLIP's (Radford et al. 2021). */
export const imageSettings = settingsObject("images", {
  /** Side of the square that the model sees, in pixels. */
  size: z.number().int().positive().default(224),
  /** `crop`: the shorter side becomes `size`, the middle is cut out (CLIP). `squash`: both sides become `size` (SigLIP). */
  resize: z.enum(["crop", "squash"]).default("crop"),
  mean: perChannel.default([0.48145466, 0.4578275, 0.40821073]),
  standardDeviation: perChannel.default([0.26862954, 0.26130258, 0.27577711]),
  /** A colour such as "#ffffff" under transparent pixels; left out, transparency is ignored as Pillow's convert("RGB") does. */
  background: z.string().optional(),
});
export type ImageSettings = z.output<typeof imageSettings>;

/** What training changes at random: resized crops and flips of images (Szegedy et al. 2015), words of captions, patches. The defaults are open_clip's. */
export const augmentationSettings = settingsObject("augmentation", {
  /** The crop's share of the image's area, smallest and largest. */
  cropShare: z.tuple([share, share]).default([0.9, 1]),
  /** The crop's width over its height, smallest and largest. */
  cropRatio: z.tuple([z.number().positive(), z.number().positive()]).default([3 / 4, 4 / 3]),
  /** Probability of a mirrored image. */
  flip: share.default(0),
  /** Probability of a caption's word to be left out; one stays. */
  wordDropout: share.default(0),
  /** Share of an image's patches that the model does not get to see (Li et al. 2023): less time a pair, less to memorise. */
  patchDropout: z.number().min(0).lt(1).default(0),
});
export type AugmentationSettings = z.output<typeof augmentationSettings>;

/** An image that cannot be decoded. */
export class DamagedImageError extends Error {}

/** Pixels up to which an image is decoded whole and resampled as Pillow does it, exactly; sharp shrinks larger ones sooner. */
const exactPixels = 2 ** 20;

/** What of an image is shown at which size, in pixels. */
export interface View {
  readonly region: Region;
  readonly width: number;
  readonly height: number;
  /** Cut out of the resized region; the model's square. */
  readonly crop: { readonly left: number; readonly top: number };
  readonly flip: boolean;
}

/** The whole image as evaluation sees it. Rounding as in transformers' CLIPImageProcessor. */
export function centredView(width: number, height: number, { size, resize }: ImageSettings): View {
  const region = { left: 0, top: 0, width, height };
  if (resize === "squash") return { region, width: size, height: size, crop: { left: 0, top: 0 }, flip: false };
  const [wide, high] =
    width <= height ? [size, Math.trunc((size * height) / width)] : [Math.trunc((size * width) / height), size];
  const crop = { left: Math.floor((wide - size) / 2), top: Math.floor((high - size) / 2) };
  return { region, width: wide, height: high, crop, flip: false };
}

/** A random crop, decided by the keys alone (seed, step, index). As torchvision's RandomResizedCrop: ten attempts to fit. */
export function randomView(
  width: number,
  height: number,
  { size }: ImageSettings,
  { cropShare, cropRatio, flip }: AugmentationSettings,
  ...keys: number[]
): View {
  const random = new Random(...keys);
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const square = { width: size, height: size, crop: { left: 0, top: 0 }, flip: random.uniform() < flip };
  const [lowest, highest] = cropRatio;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(...cropShare);
    const ratio = Math.exp(between(Math.log(lowest), Math.log(highest)));
    const [wide, high] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))];
    if (wide < 1 || high < 1 || wide > width || high > height) continue;
    const [left, top] = [random.below(width - wide + 1), random.below(height - high + 1)];
    return { region: { left, top, width: wide, height: high }, ...square };
  }
  const ratio = Math.min(highest, Math.max(lowest, width / height));
  const [wide, high] = [Math.min(width, Math.round(height * ratio)), Math.min(height, Math.round(width / ratio))];
  const region = { left: (width - wide) >> 1, top: (height - high) >> 1, width: wide, height: high };
  return { region, ...square };
}

function pipeline(bytes: Uint8Array, background: string | undefined): Sharp {
  const image = sharp(bytes, { failOn: "error" }).autoOrient().toColourspace("srgb");
  return background === undefined ? image : image.flatten({ background });
}

/** Decodes to 8-bit RGB, upright. Throws DamagedImageError. */
export async function decodeImage(bytes: Uint8Array, background?: string): Promise<RawImage> {
  try {
    const image = pipeline(bytes, background).removeAlpha();
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (error) {
    throw new DamagedImageError(messageOf(error), { cause: error });
  }
}

/** The image as one view of it: [3, size, size], normalised. Throws DamagedImageError. */
export async function prepareImage(
  bytes: Uint8Array,
  settings: ImageSettings,
  viewOf: (width: number, height: number) => View,
): Promise<Float32Array> {
  const { width, height, hasAlpha } = await dimensionsOf(bytes);
  const view = viewOf(width, height);
  const shrinks = view.width <= view.region.width && view.height <= view.region.height;
  // sharp resizes transparent pixels by their weight, which Pillow does not once it has dropped the alpha channel.
  const plain = !hasAlpha || settings.background !== undefined;
  if (!shrinks || !plain || width * height <= exactPixels) {
    return showView(await decodeImage(bytes, settings.background), settings, view);
  }
  try {
    const data = await pipeline(bytes, settings.background)
      .extract(view.region)
      .resize(view.width, view.height, { kernel: "cubic", fit: "fill", fastShrinkOnLoad: false })
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer();
    return normalised({ width: view.width, height: view.height, data }, settings, view);
  } catch (error) {
    throw new DamagedImageError(messageOf(error), { cause: error });
  }
}

/** A view of an image that is decoded already: [3, size, size], normalised. */
export function showView(image: RawImage, settings: ImageSettings, view: View): Float32Array {
  return normalised(resampleBicubic(image, view.region, view.width, view.height), settings, view);
}

async function dimensionsOf(bytes: Uint8Array): Promise<{ width: number; height: number; hasAlpha: boolean }> {
  try {
    const { autoOrient, hasAlpha } = await sharp(bytes, { failOn: "error" }).metadata();
    return { ...autoOrient, hasAlpha: hasAlpha ?? false };
  } catch (error) {
    throw new DamagedImageError(messageOf(error), { cause: error });
  }
}

function normalised(image: RawImage, { size, mean, standardDeviation }: ImageSettings, view: View): Float32Array {
  const out = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) {
    const [offset, factor] = [mean[channel], 1 / standardDeviation[channel]];
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const column = view.crop.left + (view.flip ? size - 1 - x : x);
        const value = image.data[((view.crop.top + y) * image.width + column) * 3 + channel];
        out[(channel * size + y) * size + x] = (value / 255 - offset) * factor;
      }
    }
  }
  return out;
}
