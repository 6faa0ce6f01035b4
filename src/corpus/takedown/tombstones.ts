/** Tombstones: which documents were taken down and why. They stand beside the store, so that no build brings one back. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, TilthError, writeFileAtomically } from "../../foundation/index.ts";
import type { DocumentRow } from "../document.ts";

const tombstone = z.strictObject({
  id: z.string(),
  source: z.string(),
  path: z.string(),
  url: z.string().nullable(),
  reason: z.string(),
  /** What chose it: the request itself, or that it is a copy of, or quotes, what was requested. */
  because: z.enum(["requested", "copy", "quotes"]),
  /** Date and time, ISO 8601. */
  time: z.string(),
  /** False until store and shards are rewritten: whoever comes next finishes it. */
  done: z.boolean(),
});

export type Tombstone = z.infer<typeof tombstone>;

/** The file of a store's tombstones. */
export function tombstonesFile(storeFolder: string): string {
  return join(dirname(storeFolder), `${basename(storeFolder)}.takedowns.jsonl`);
}

/** All tombstones of a store; none where nothing was ever taken down. Throws TilthError for a damaged file. */
export function readTombstones(storeFolder: string): Tombstone[] {
  const file = tombstonesFile(storeFolder);
  if (!existsSync(file)) return [];
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => tombstone.parse(JSON.parse(line)));
  } catch (cause) {
    throw new TilthError(`${file} is damaged: ${messageOf(cause).split("\n")[0]}`, {
      remedy: "Restore it from a backup: without it, documents that were taken down would come back.",
      cause,
    });
  }
}

/** Replaces the tombstones of a store, at once or not at all. */
export function writeTombstones(storeFolder: string, tombstones: readonly Tombstone[]): void {
  writeFileAtomically(tombstonesFile(storeFolder), tombstones.map((one) => `${JSON.stringify(one)}\n`).join(""));
}

/** Rows with those that were taken down emptied: the row and the reason stay, the text does not. */
export function* withoutTakenDown(
  rows: Iterable<DocumentRow>,
  tombstones: readonly Tombstone[],
): Generator<DocumentRow> {
  const reasons = new Map(tombstones.map(({ id, reason }) => [id, reason]));
  for (const row of rows) {
    const reason = reasons.get(row.id);
    yield reason === undefined ? row : emptied(row, reason);
  }
}

function emptied(row: DocumentRow, reason: string): DocumentRow {
  return {
    ...row,
    text: "",
    bytes: 0,
    pii: [],
    edits: [],
    rejections: [{ stage: "taken-down", rule: "taken-down", value: reason }],
    kept: false,
    split: null,
  };
}
