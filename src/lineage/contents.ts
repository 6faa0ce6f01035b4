/** What an artefact holds, as one digest: of a file its SHA-256, of a folder the SHA-256 of what `sha256sum` prints for it. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { hashFile } from "../foundation/index.ts";

/** An artefact's own record, which its digest leaves out. */
export const recordName = "lineage.json";
/** Where a checkpoint lists its files; see src/training/checkpoint. */
const checksumsName = "checksums.json";

/** SHA-256 by path inside the folder, with forward slashes, sorted; the single entry of a file is its name. */
export type FileSums = Readonly<Record<string, string>>;

const fileSums = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/));

/** Hashes every file of an artefact, its record left out. */
export async function sumsOf(path: string): Promise<FileSums> {
  if (!statSync(path).isDirectory()) return { [basename(path)]: await hashFile(path) };
  const sums: Record<string, string> = {};
  for (const name of filesBelow(path)) {
    if (name !== recordName && name !== checksumsName) sums[name] = await hashFile(join(path, name));
  }
  return sums;
}

/** The digest of an artefact with these files. */
export function digestOf(sums: FileSums): string {
  const names = Object.keys(sums).filter((name) => name !== recordName);
  const lines = names.sort().map((name) => `${sums[name]}  ${name}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/** The sums that a checkpoint states of itself in checksums.json; undefined where there is none, or it was tampered with. */
export function statedSums(path: string): FileSums | undefined {
  const file = join(path, checksumsName);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  try {
    const sums = fileSums.parse(JSON.parse(text));
    return `${JSON.stringify(sums, null, 2)}\n` === text ? sums : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a folder keeps its sums in a checksums.json of its own, as checkpoints do. */
export const statesSums = (path: string): boolean => existsSync(join(path, checksumsName));

/** Paths of all files below a folder, with forward slashes, sorted; what a crashed writer left is no part of it. */
function filesBelow(folder: string, prefix = ""): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .filter(({ name }) => !name.includes(".tilth-partial-"))
    .flatMap((entry) => {
      const name = `${prefix}${entry.name}`;
      return entry.isDirectory() ? filesBelow(folder, `${name}/`) : [name];
    })
    .sort();
}
