/** A worker's share of a batch: reads, decodes, augments and normalises images; damaged ones are reported, not thrown. */
import sharp from "sharp";
import { messageOf } from "../foundation/index.ts";
import { type ImageReference, readImageBytes } from "./pairs.ts";
import type { RawImage } from "./resample.ts";
import {
  type AugmentationSettings,
  centredView,
  decodeImage,
  type ImageSettings,
  prepareImage,
  randomView,
  showView,
} from "./transform.ts";

/** `keys` of an image decide its augmentation; without `augmentation` every image is shown as evaluation shows it. */
export interface DecodeTask {
  readonly images: readonly { readonly reference: ImageReference; readonly keys: readonly number[] }[];
  readonly settings: ImageSettings;
  readonly augmentation?: AugmentationSettings;
}

/** Pixels of the images that could be decoded, in the task's order, and the others by their position in the task. */
export interface DecodeResult {
  /** [decoded images, 3, size, size] */
  readonly pixels: Float32Array;
  readonly damaged: readonly { readonly position: number; readonly reason: string }[];
}

// One thread an image: the parallelism is in the images.
sharp.concurrency(1);
sharp.cache(false);

/** Files of up to this length are decoded at once, and kept so where they turn out to be small. */
const thumbnailBytes = 64 * 1024;
const thumbnailPixelBytes = 3 * 192 * 192;

/** Thumbnails seen before, decoded; the oldest leave first. */
const decoded = new Map<string, RawImage>();
const decodedBytesLimit = 256 * 2 ** 20;
let decodedBytes = 0;

/** Decodes a worker's share of a batch. */
export async function decodeShare({ images, settings, augmentation }: DecodeTask): Promise<DecodeResult> {
  const each = await Promise.allSettled(
    images.map(async ({ reference, keys }) => {
      const viewOf = (width: number, height: number) =>
        augmentation === undefined
          ? centredView(width, height, settings)
          : randomView(width, height, settings, augmentation, ...keys);
      return show(reference, settings, viewOf);
    }),
  );
  const whole = each.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const length = 3 * settings.size ** 2;
  const pixels = new Float32Array(whole.length * length);
  whole.forEach((image, index) => {
    pixels.set(image, index * length);
  });
  const damaged = each.flatMap((one, position) =>
    one.status === "rejected" ? [{ position, reason: messageOf(one.reason) }] : [],
  );
  return { pixels, damaged };
}

async function show(
  reference: ImageReference,
  settings: ImageSettings,
  viewOf: Parameters<typeof prepareImage>[2],
): Promise<Float32Array> {
  const key = `${reference.path}:${reference.range?.start ?? ""}:${settings.background ?? ""}`;
  const known = decoded.get(key);
  if (known !== undefined) return showView(known, settings, viewOf(known.width, known.height));
  const bytes = readImageBytes(reference);
  if (bytes.length > thumbnailBytes) return prepareImage(bytes, settings, viewOf);
  const image = await decodeImage(bytes, settings.background);
  if (image.data.length > thumbnailPixelBytes) return prepareImage(bytes, settings, viewOf);
  remember(key, image);
  return showView(image, settings, viewOf(image.width, image.height));
}

function remember(key: string, image: RawImage): void {
  decoded.set(key, image);
  decodedBytes += image.data.length;
  for (const [oldest, { data }] of decoded) {
    if (decodedBytes <= decodedBytesLimit) return;
    decoded.delete(oldest);
    decodedBytes -= data.length;
  }
}
