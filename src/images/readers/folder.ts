import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join, relative, sep } from "node:path";
import { type ImageTextPair, isImageExtension, type PairReader, type SkippedPair } from "../pairs.ts";

/** Every image below a folder, in the order of their paths. */
function imagesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return imagesBelow(path);
      return entry.isFile() && isImageExtension(extname(entry.name)) ? [path] : [];
    });
}

/** cat.jpg is described by cat.txt. */
function captionFile(image: string): string {
  return `${image.slice(0, -extname(image).length)}.txt`;
}

/**
 * A folder of images. An image with a text file of the same name has its lines for captions; one in a subfolder belongs to
 * the class that the first subfolder names, and where it has no text file the class makes its caption.
 */
export const folderReader: PairReader = {
  name: "folder",
  describe: "a folder of images: captions in text files of the same name, or a subfolder for every class",
  matches: (path) => existsSync(path) && statSync(path).isDirectory(),
  read(path, { template }) {
    const pairs: ImageTextPair[] = [];
    const skipped: SkippedPair[] = [];
    for (const image of imagesBelow(path)) {
      const name = relative(path, image);
      const parts = relative(path, dirname(image)).split(sep);
      const named = parts[0] === "" ? undefined : parts[0].replaceAll("_", " ");
      const written = existsSync(captionFile(image)) ? readFileSync(captionFile(image), "utf8").split("\n") : undefined;
      const lines = written?.map((line) => line.trim()).filter((line) => line !== "");
      const captions = lines ?? (named === undefined ? [] : [template.replaceAll("{class}", named)]);
      if (captions.length === 0) skipped.push({ name, reason: "it has neither a caption nor a class" });
      // With captions of its own the subfolder is mere order.
      else pairs.push({ name, image: { path: image }, captions, ...(lines || !named ? {} : { class: named }) });
    }
    return { pairs, skipped };
  },
};
