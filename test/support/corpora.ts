/** Small corpora of English-like text for tests of curation. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Random } from "../../src/foundation/index.ts";

const words =
  "the a of to and in that have with on as it was for field seed river stone light water slow clear old new small great wind snow year day night hand house road tree bird green grain harvest soil root leaf rain season market bread village winter summer garden".split(
    " ",
  );

/** Sentences of common words; the same for the same keys. */
export function prose(sentences: number, ...keys: number[]): string {
  const random = new Random(...keys);
  return Array.from({ length: sentences }, () => {
    const length = 8 + random.below(10);
    const chosen = Array.from({ length }, () => words[random.below(words.length)]);
    return `${chosen[0][0].toUpperCase()}${chosen.join(" ").slice(1)}.`;
  }).join(" ");
}

/** Writes files below a folder, by path. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
