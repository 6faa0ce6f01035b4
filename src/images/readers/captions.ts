import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { TilthError } from "../../foundation/index.ts";
import type { ImageTextPair, PairReader, SkippedPair } from "../pairs.ts";

/** A line of a captions file; further keys are ignored. */
const line = z
  .object({
    image: z.string().min(1).optional(),
    /** The name that Hugging Face's imagefolder gives it. */
    file_name: z.string().min(1).optional(),
    caption: z.union([z.string(), z.array(z.string())]).optional(),
    captions: z.array(z.string()).optional(),
    text: z.string().optional(),
    class: z.string().optional(),
    group: z.string().optional(),
  })
  .transform((one) => ({
    image: one.image ?? one.file_name,
    captions: [one.caption ?? one.captions ?? one.text ?? []].flat().map((caption) => caption.trim()),
    class: one.class,
    group: one.group,
  }));

const names = ["captions.jsonl", "metadata.jsonl"];

function fileOf(path: string): string | undefined {
  if (path.endsWith(".jsonl")) return path;
  return names.map((name) => join(path, name)).find((file) => existsSync(file));
}

/** JSON lines of `image` and `caption`; image paths start at the file's folder. `class` and `group` are optional. */
export const captionsReader: PairReader = {
  name: "captions",
  describe: "captions.jsonl: lines of image and caption, optionally class and group",
  matches: (path) => fileOf(path) !== undefined,
  read(path) {
    const file = fileOf(path)!;
    const pairs: ImageTextPair[] = [];
    const skipped: SkippedPair[] = [];
    const lines = readFileSync(file, "utf8").split("\n");
    lines.forEach((text, index) => {
      if (text.trim() === "") return;
      const where = `${file}:${index + 1}`;
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (cause) {
        throw new TilthError(`${where} is not JSON: "${text.slice(0, 60)}"`, {
          remedy: 'Every line is an object such as {"image": "cat.jpg", "caption": "a cat"}.',
          cause,
        });
      }
      const parsed = line.safeParse(value);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        throw new TilthError(`${where}: "${issue.path.join(".")}": ${issue.message}`);
      }
      const { image, ...rest } = parsed.data;
      const captions = rest.captions.filter((caption) => caption !== "");
      if (image === undefined) throw new TilthError(`${where} has no "image"`);
      const found = join(dirname(file), image);
      if (captions.length === 0) skipped.push({ name: image, reason: "it has no caption" });
      else if (!existsSync(found) || !statSync(found).isFile())
        skipped.push({ name: image, reason: "there is no such file" });
      else pairs.push({ ...rest, name: image, image: { path: found }, captions });
    });
    return { pairs, skipped };
  },
};
