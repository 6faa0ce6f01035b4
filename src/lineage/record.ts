/** The record of an artefact: which activity made it, of what. A plain JSON file that lies in it, or beside it. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import {
  canonicalJson,
  hashOf,
  packageVersion,
  parseSettings,
  TilthError,
  writeFileAtomically,
} from "../foundation/index.ts";
import { digestOf, type FileSums, recordName, statedSums, statesSums, sumsOf } from "./contents.ts";

/** What there is between a raw file and a model in use. */
export const artefactKinds = [
  "source",
  "corpus",
  "tokenizer",
  "shards",
  "images",
  "checkpoint",
  "adapter",
  "export",
  "classifier",
  "embeddings",
  "data",
] as const;
export type ArtefactKind = (typeof artefactKinds)[number];

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const usedArtefact = z.strictObject({
  /** What it was used as: "corpus", "base checkpoint", "preferences". */
  role: z.string(),
  kind: z.enum(artefactKinds),
  /** From the folder that holds the artefact that was made, with forward slashes. */
  path: z.string(),
  /** Its digest when it was used. */
  contents: digest,
  /** The id of its record then, if it had one. */
  record: digest.optional(),
});
export type UsedArtefact = z.infer<typeof usedArtefact>;

const core = {
  id: digest,
  kind: z.enum(artefactKinds),
  activity: z.strictObject({
    /** As it is typed: "train", "data build". */
    command: z.string(),
    tilth: z.string(),
    details: z.record(z.string(), z.unknown()),
  }),
  used: z.array(usedArtefact),
  /** Digest of the files; absent of a checkpoint, whose checksums.json lists this record too. */
  contents: digest.optional(),
  /** The record that this one took the place of, where an artefact was changed: by a take-down. */
  replaces: digest.optional(),
};

/** A record as its descendants carry it. */
const ancestor = z.strictObject(core);
export type AncestorRecord = z.infer<typeof ancestor>;

const lineageRecord = z.strictObject({
  format: z.literal("tilth-lineage"),
  version: z.literal(1),
  ...core,
  files: z.record(z.string(), digest).optional(),
  /** The records of everything before it, so that it tells its whole story alone. */
  ancestors: z.array(ancestor),
});
export type LineageRecord = z.infer<typeof lineageRecord>;

/** What an activity is and what it used. Paths are of this machine. */
export interface Activity {
  readonly kind: ArtefactKind;
  readonly command: string;
  /** What decided the outcome: names and numbers, no paths of this machine and no times, so that equal work gives equal records. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly used: readonly {
    readonly role: string;
    readonly kind: ArtefactKind;
    readonly path: string;
    readonly contents?: string;
  }[];
  readonly replaces?: string;
}

/** Where the record of an artefact lies: in a folder, beside a file. */
export function recordPath(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? join(path, recordName) : `${path}.${recordName}`;
}

/** The record of an artefact, or undefined where it has none. Throws TilthError where it is damaged. */
export function readRecord(path: string): LineageRecord | undefined {
  const file = recordPath(path);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const damaged = (why: string, cause?: unknown) =>
    new TilthError(`${file} is damaged: ${why}`, { remedy: "Put a good copy back.", cause });
  let record: LineageRecord;
  try {
    record = parseSettings(lineageRecord, JSON.parse(text), file);
  } catch (cause) {
    throw damaged("it is no record of lineage", cause);
  }
  if (recordText(record) !== text) throw damaged("it is not as it was written");
  for (const one of [record, ...record.ancestors]) {
    if (idOf(one) !== one.id) throw damaged(`what it says of "${one.activity.command}" does not give its id`);
  }
  if (record.files !== undefined && digestOf(record.files) !== record.contents) {
    throw damaged("its list of files does not give its digest");
  }
  const known = new Set(record.ancestors.map(({ id }) => id));
  const lost = [record, ...record.ancestors]
    .flatMap(({ used }) => used)
    .find((one) => one.record && !known.has(one.record));
  if (lost !== undefined) throw damaged(`the record of ${lost.path} is missing from it`);
  return record;
}

/** Hashes a finished artefact and writes its record. `at`: where it will lie, if it is still under a temporary name. */
export async function writeRecord(path: string, activity: Activity, at = path): Promise<LineageRecord> {
  const files = await sumsOf(path);
  const record = await makeRecord(at, activity, { files, contents: digestOf(files) });
  writeFileAtomically(recordPath(path), recordText(record));
  return record;
}

/**
 * Records that an artefact was changed in place. What it used stays, by its newest records. Does nothing where it has no
 * record, or is as its record says.
 */
export async function replaceRecord(
  path: string,
  { command, details }: Pick<Activity, "command" | "details">,
): Promise<void> {
  const old = readRecord(path);
  if (old === undefined || old.contents === digestOf(await sumsOf(path))) return;
  const used = old.used.map(({ role, kind, path: relativePath, contents }) => {
    const place = placeOf({ path: relativePath }, path);
    return { role, kind, path: place, ...((kind === "source" || !existsSync(place)) && { contents }) };
  });
  await writeRecord(path, { kind: old.kind, command, details, used, replaces: old.id });
}

/**
 * The text of a record that is written together with an artefact which lists its own files, as a checkpoint does.
 * @param path where the artefact will lie
 */
export async function recordTextFor(path: string, activity: Activity): Promise<string> {
  return recordText(await makeRecord(path, activity, {}));
}

async function makeRecord(
  path: string,
  { kind, command, details, used, replaces }: Activity,
  contents: { readonly files?: FileSums; readonly contents?: string },
): Promise<LineageRecord> {
  const ancestors = new Map<string, AncestorRecord>();
  const parents: UsedArtefact[] = [];
  for (const one of used) {
    const record = one.kind === "source" ? undefined : readRecord(one.path);
    if (record !== undefined) {
      for (const { id, ...rest } of record.ancestors) ancestors.set(id, { id, ...rest });
      const { format: _, version: __, files: ___, ancestors: ____, ...own } = record;
      ancestors.set(own.id, own);
    }
    parents.push({
      role: one.role,
      kind: one.kind,
      path: relative(dirname(path), one.path).split(sep).join("/") || ".",
      contents: one.contents ?? (await contentsOf(one.path)),
      ...(record && { record: record.id }),
    });
  }
  const body = {
    kind,
    activity: {
      command,
      tilth: packageVersion(),
      details: JSON.parse(JSON.stringify(details)) as Record<string, unknown>,
    },
    used: parents,
    ...(contents.contents !== undefined && { contents: contents.contents }),
    ...(replaces !== undefined && { replaces }),
  };
  return {
    format: "tilth-lineage",
    version: 1,
    id: idOf(body),
    ...body,
    ...(contents.files && { files: contents.files }),
    ancestors: [...ancestors.values()],
  };
}

/** The digest of an artefact: as its record or its checksums.json state it, else hashed now. */
export async function contentsOf(path: string): Promise<string> {
  if (statesSums(path)) {
    const sums = statedSums(path);
    if (sums === undefined) throw new TilthError(`${join(path, "checksums.json")} is damaged`);
    return digestOf(sums);
  }
  return readRecord(path)?.contents ?? digestOf(await sumsOf(path));
}

/** Where an artefact that a record names is on this machine. */
export function placeOf(used: Pick<UsedArtefact, "path">, artefact: string): string {
  return resolve(dirname(artefact), used.path);
}

const recordText = (record: LineageRecord) => `${JSON.stringify(JSON.parse(canonicalJson(record)), null, 1)}\n`;

function idOf({ kind, activity, used, contents, replaces }: Omit<AncestorRecord, "id">): string {
  return hashOf("tilth lineage 1", canonicalJson({ kind, activity, used, contents, replaces }));
}
