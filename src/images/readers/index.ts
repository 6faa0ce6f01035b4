/** The readers of image-text sets: one file each, one line here. */
import { existsSync } from "node:fs";
import { TilthError, UsageError } from "../../foundation/index.ts";
import type { PairReader, PairReaderOptions, PairSet } from "../pairs.ts";
import { captionsReader } from "./captions.ts";
import { folderReader } from "./folder.ts";
import { webdatasetReader } from "./webdataset.ts";

/** The first that matches reads. */
const readers: readonly PairReader[] = [captionsReader, webdatasetReader, folderReader];

/** What kinds of sets can be read, for help texts. */
export const pairReaderKinds: readonly string[] = readers.map(({ describe }) => describe);

/** The caption of an image in a folder of its class. */
export const classTemplate = "a photo of a {class}";

/** The pairs at a path, by whichever reader fits. Throws UsageError where there is nothing, TilthError for no pairs. */
export function readPairs(path: string, options: PairReaderOptions = { template: classTemplate }): PairSet {
  if (!existsSync(path)) throw new UsageError(`${path}: there is no such file or folder of images`);
  const reader = readers.find((one) => one.matches(path));
  if (reader === undefined) {
    throw new UsageError(`${path} is no set of images with captions`, {
      remedy: `Give ${pairReaderKinds.join("; or ")}.`,
    });
  }
  const set = reader.read(path, options);
  if (set.pairs.length === 0) {
    const [first] = set.skipped;
    const why = first === undefined ? "" : ` (${set.skipped.length} left out; "${first.name}": ${first.reason})`;
    throw new TilthError(`${path} holds no image with a caption${why}`, {
      remedy: `Give ${pairReaderKinds.join("; or ")}.`,
    });
  }
  return set;
}
