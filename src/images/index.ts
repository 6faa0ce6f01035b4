/** Image input: image-text sets, decoding, augmentation, batches from worker threads. Imports only foundation. */
export { ImageLoader, type ImageRequest, type LoadedImages } from "./loader.ts";
export type { ImageReference, ImageTextPair, PairReaderOptions, PairSet, SkippedPair } from "./pairs.ts";
export { readImageBytes } from "./pairs.ts";
export { fromPreprocessorConfig, toPreprocessorConfig } from "./preprocessor.ts";
export { classTemplate, pairReaderKinds, readPairs } from "./readers/index.ts";
export type { RawImage } from "./resample.ts";
export { fingerprintSettings, type PairSplit, splitPairs } from "./split.ts";
export {
  type AugmentationSettings,
  augmentationSettings,
  centredView,
  DamagedImageError,
  decodeImage,
  type ImageSettings,
  imageSettings,
  prepareImage,
  randomView,
} from "./transform.ts";
