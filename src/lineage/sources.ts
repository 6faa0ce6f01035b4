/** The raw files of a corpus: a list that `sha256sum -c` understands too, beside the store's rows. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { hashFile, type Progress, writeFileAtomically } from "../foundation/index.ts";
import { digestOf } from "./contents.ts";
import type { Activity } from "./record.ts";

/** In a corpus: SHA-256 and path of every raw file that was read, paths from the folder that holds the corpus. */
export const sourcesName = "sources.sha256";

/** Hashes raw files and writes their list into a corpus. Returns what the corpus's record says it used, a line a source. */
export async function writeSources(
  corpus: string,
  sources: readonly { readonly reader: string; readonly path: string }[],
  files: Iterable<string>,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Activity["used"]> {
  const base = dirname(corpus);
  const sums = new Map<string, string>();
  const sorted = [...new Set(files)].sort();
  for (const file of sorted) {
    sums.set(file, await hashFile(file));
    if (sums.size % 200 === 0)
      onProgress({ stage: "hashing sources", done: sums.size, total: sorted.length, unit: "files" });
  }
  const line = (file: string) => `${sums.get(file)}  ${relative(base, file).split(sep).join("/")}\n`;
  writeFileAtomically(join(corpus, sourcesName), sorted.map(line).join(""));
  return sources.map(({ reader, path }) => {
    const below = sorted.filter((file) => file === path || file.startsWith(`${path}${sep}`));
    const contents = digestOf(
      Object.fromEntries(below.map((file) => [relative(path, file).split(sep).join("/"), sums.get(file)!])),
    );
    return { role: `read by ${reader}`, kind: "source" as const, path, contents };
  });
}

/** The raw files that a corpus was built from, in their order; empty where it does not say. */
export function readSources(corpus: string): { readonly file: string; readonly sha256: string }[] {
  const list = join(corpus, sourcesName);
  if (!existsSync(list)) return [];
  return readFileSync(list, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ sha256: line.slice(0, 64), file: resolve(dirname(corpus), line.slice(66)) }));
}
