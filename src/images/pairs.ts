/** Images with their captions, as the readers find them: references only, nothing is decoded yet. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** Where the bytes of an image are: a file, or a stretch of one (a member of a tar archive). */
export interface ImageReference {
  readonly path: string;
  readonly range?: { readonly start: number; readonly length: number };
}

/** An image and what is said about it. */
export interface ImageTextPair {
  /** Unique in its set: the path below the folder, or the member's key. */
  readonly name: string;
  readonly image: ImageReference;
  /** One or more; training takes one at random each time, evaluation the first. */
  readonly captions: readonly string[];
  /** What the image shows, where the set says so: for zero-shot classification. */
  readonly class?: string;
  /** Variants of one thing (skin tones, frames of a film), which must not be held out apart from each other. */
  readonly group?: string;
}

/** Something that was left out, and why. */
export interface SkippedPair {
  readonly name: string;
  readonly reason: string;
}

/** What a reader found. */
export interface PairSet {
  readonly pairs: readonly ImageTextPair[];
  readonly skipped: readonly SkippedPair[];
}

/** How a set of pairs is read. */
export interface PairReaderOptions {
  /** For folders of classes: `{class}` is replaced by the folder's name. */
  readonly template: string;
}

/** Reads one kind of image-text set. */
export interface PairReader {
  readonly name: string;
  readonly describe: string;
  /** Whether the path looks like this kind. */
  matches(path: string): boolean;
  /** Throws TilthError naming file and line where the set cannot be understood at all. */
  read(path: string, options: PairReaderOptions): PairSet;
}

const imageExtensions = new Set([".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".tif", ".tiff", ".bmp"]);

/** Whether a file of that extension (with its dot) is taken for an image. */
export function isImageExtension(extension: string): boolean {
  return imageExtensions.has(extension.toLowerCase());
}

/** The bytes of an image file. Throws the system's error where it cannot be read. */
export function readImageBytes({ path, range }: ImageReference): Uint8Array {
  if (range === undefined) return readFileSync(path);
  const descriptor = openSync(path, "r");
  try {
    const bytes = new Uint8Array(range.length);
    const read = readSync(descriptor, bytes, 0, range.length, range.start);
    if (read < range.length) throw new Error(`${path} ends after ${read} of ${range.length} bytes`);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}
