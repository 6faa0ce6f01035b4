/** What the readers of record files share: finding the files, mapping fields, and turning damage into failures. */
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { z } from "zod";
import { messageOf, settingsObject, TilthError } from "../../foundation/index.ts";
import { type DocumentKind, documentKinds, type LicenceFinding } from "../document.ts";
import { findLicence, recordLicence } from "../licences/index.ts";
import type { ReaderContext, WorkItem } from "./define.ts";
import { commonShape, declaredLicence, pathSetting, sourceName } from "./source.ts";
import { type FailedRecord, type SourceEvent, type SourceRecord, unpack } from "./spool.ts";
import { type FoundFile, licenceFilesIn, walkFiles } from "./walk.ts";

/** Which fields of a record are what. The names are those that data sets commonly have. */
export const fieldSettings = settingsObject("fields", {
  text: z.string().min(1).default("text").describe("field of the document's text"),
  url: z.string().min(1).default("url").describe("field of its address"),
  licence: z.string().min(1).default("license").describe("field of its licence"),
  kind: z.string().min(1).optional().describe("field of its kind; without it all have the source's kind"),
});

export type Fields = z.infer<typeof fieldSettings>;

/** Settings of a source whose files hold records with fields. */
export const recordShape = {
  path: pathSetting,
  ...commonShape,
  kind: z.enum(documentKinds).default("prose").describe("kind of the records' text: decides which filters judge it"),
  format: z.enum(["text", "html"]).default("text").describe("html: the main content of the field is read"),
  fields: fieldSettings.prefault({}),
};

/** A source as these readers see it. */
export interface RecordSource {
  readonly path: string;
  readonly name?: string;
  readonly licence?: string;
  readonly kind?: DocumentKind;
}

/** Lists the records of all files at the source's path whose names end in one of `extensions`. */
export async function* listRecords<Source extends RecordSource>(
  reader: string,
  source: Source,
  context: ReaderContext,
  extensions: readonly string[],
  read: (file: FoundFile) => AsyncIterable<SourceEvent>,
  kind: DocumentKind = source.kind ?? "prose",
): AsyncGenerator<WorkItem> {
  const path = resolve(context.baseFolder, source.path);
  const { path: _path, name: _name, ...settings } = source;
  for (const file of filesAt(path, extensions, context)) {
    const licence =
      source.licence === undefined
        ? findLicence(undefined, licenceFilesIn(dirname(file.file), context.skipped))
        : declaredLicence(source.licence);
    yield* unpack(
      {
        file: file.file,
        path: file.path,
        source: sourceName(reader, source, path),
        licence,
        kind,
        settings: { reader, ...settings },
        read: () => damageRecorded(reader, read(file)),
      },
      context,
    );
  }
}

/** The files with one of the extensions at `path`, or `path` itself; throws TilthError where there is none. */
export function* filesAt(path: string, extensions: readonly string[], context: ReaderContext): Generator<FoundFile> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new TilthError(`${path} does not exist`, { remedy: "Name a file or a folder that exists." });
  }
  if (stat.isFile()) {
    yield { path: basename(path), name: basename(path), file: path, size: stat.size };
    return;
  }
  let found = 0;
  for (const file of walkFiles(path, (name) => !name.startsWith("."), context.skipped)) {
    if (!extensions.some((extension) => file.name.toLowerCase().endsWith(extension))) continue;
    found++;
    yield file;
  }
  if (found === 0) {
    throw new TilthError(`there is no file below ${path} that ends in ${extensions.join(", ")}`, {
      remedy: "Name another folder, or another reader.",
    });
  }
}

/** The stream's records; where it breaks off with an error, a failure that says so is the last. */
async function* damageRecorded(reader: string, records: AsyncIterable<SourceEvent>): AsyncGenerator<SourceEvent> {
  try {
    yield* records;
  } catch (error) {
    yield failed(`${reader}.damaged`, messageOf(error).split("\n")[0], "a file that is whole");
  }
}

/** A record that could not be read. */
export function failed(rule: string, value: string | number, expected: string): FailedRecord {
  const shown = typeof value === "string" ? value.slice(0, 200) : value;
  return { failure: { stage: "read", rule, value: shown, expected } };
}

/** The document in a record with fields, or why there is none. */
export function recordFrom(
  reader: string,
  values: Readonly<Record<string, unknown>>,
  source: { readonly fields: Fields; readonly kind: DocumentKind; readonly format: "text" | "html" },
): SourceRecord | FailedRecord {
  const { fields } = source;
  const text = field(values, fields.text);
  if (typeof text !== "string") {
    return failed(`${reader}.text`, text === undefined ? "absent" : typeof text, `text in the field "${fields.text}"`);
  }
  const url = field(values, fields.url);
  const kind = fields.kind === undefined ? undefined : field(values, fields.kind);
  return {
    content: text,
    format: source.format,
    kind: documentKinds.find((one) => one === kind) ?? source.kind,
    ...(typeof url === "string" && url !== "" ? { url } : {}),
    ...optionalLicence(field(values, fields.licence), `field "${fields.licence}"`),
  };
}

/** The licence that a record declares. */
export function optionalLicence(declared: unknown, where: string): { readonly licence?: LicenceFinding } {
  const text = Array.isArray(declared) ? declared.filter((one) => typeof one === "string").join(" AND ") : declared;
  return typeof text === "string" && text.trim() !== "" ? { licence: recordLicence(text, where) } : {};
}

/** `meta.url` is the field `url` of the object in `meta`, unless a field has that very name. */
function field(values: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(values, name)) return values[name];
  let value: unknown = values;
  for (const part of name.split(".")) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
