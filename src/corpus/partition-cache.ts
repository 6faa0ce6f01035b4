/** Results of partitions on disk: an interrupted build continues, and a changed file costs its own partition alone. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { writeFileAtomically } from "../foundation/index.ts";
import type { PartialRow } from "./process.ts";

/** Bytes of the SHA-256 in front of every entry. */
const digestBytes = 32;

/** Where the entry with this key is. */
export function cacheFile(folder: string, key: string): string {
  return join(folder, `${key.slice(0, 40)}.rows`);
}

/** The rows under `key`, or undefined where there are none or they are damaged: both mean to compute them. */
export function readCachedRows(folder: string, key: string, length: number): PartialRow[] | undefined {
  const file = cacheFile(folder, key);
  if (!existsSync(file)) return undefined;
  try {
    const content = readFileSync(file);
    const body = content.subarray(digestBytes);
    if (!createHash("sha256").update(body).digest().equals(content.subarray(0, digestBytes))) return undefined;
    // The digest proves that these are bytes that writeCachedRows wrote.
    const rows = deserialize(body) as PartialRow[];
    utimesSync(file, new Date(), new Date());
    return rows.length === length ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** Stores the rows under `key`. */
export function writeCachedRows(folder: string, key: string, rows: readonly PartialRow[]): void {
  const body = serialize(rows);
  mkdirSync(folder, { recursive: true });
  writeFileAtomically(cacheFile(folder, key), Buffer.concat([createHash("sha256").update(body).digest(), body]));
}

/** A file that is still being written after so long belongs to a process that was killed. */
const abandonedMilliseconds = 3_600_000;

/** Removes the entries that were not used longest until `maximumBytes` hold the rest, and what killed builds left. */
export function trimCache(folder: string, maximumBytes: number): void {
  if (!existsSync(folder)) return;
  const names = readdirSync(folder);
  for (const file of names.filter((name) => name.includes(".rows.tilth-partial-")).map((name) => join(folder, name))) {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (changed !== undefined && Date.now() - changed > abandonedMilliseconds) rmSync(file, { force: true });
  }
  const entries = names
    .filter((name) => name.endsWith(".rows"))
    .map((name) => ({ file: join(folder, name), stat: statSync(join(folder, name), { throwIfNoEntry: false }) }))
    .flatMap(({ file, stat }) => (stat === undefined ? [] : [{ file, size: stat.size, used: stat.mtimeMs }]))
    .sort((a, b) => b.used - a.used);
  let total = 0;
  for (const { file, size } of entries) {
    total += size;
    if (total > maximumBytes) rmSync(file, { force: true });
  }
}
