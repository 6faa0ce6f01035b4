/**
 * Records of a file that holds many documents, unpacked one after the other into a folder of the cache, so that workers
 * read each by its position. The unpacking holds one record in memory. The same file and settings are unpacked once.
 */
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  canonicalJson,
  folderBytes,
  hashFile,
  hashOf,
  InterruptedError,
  publishFolder,
  writeFully,
} from "../../foundation/index.ts";
import type { DocumentKind, LicenceFinding, Rejection } from "../document.ts";
import type { DocumentFormat, ReaderContext, WorkItem } from "./define.ts";
import { skip } from "./walk.ts";

/** Raised whenever the same file gives other records. */
const spoolVersion = 1;
/** A part is closed when it has reached this size: partitions close together read few files. */
const partBytes = 32 * 1024 * 1024;
/** A file that is damaged throughout is not listed record by record. */
const listedFailures = 100;

/** One document of a file that holds many. */
export interface SourceRecord {
  readonly content: string | Uint8Array;
  readonly format: DocumentFormat;
  readonly kind: DocumentKind;
  readonly licence?: LicenceFinding;
  readonly url?: string;
  readonly image?: string;
  readonly reservation?: string;
}

/** A place in the file where a document should have been. */
export interface FailedRecord {
  readonly failure: Rejection;
}

/** Something in the file that no reader takes, by its reason. */
export interface SkippedRecord {
  readonly skipped: string;
}

/** A robots.txt, ai.txt or tdmrep.json among the records: it speaks for all documents of its host. */
export interface RobotsRecord {
  readonly robots: { readonly address: string; readonly text: string };
}

/** What a file of documents yields. */
export type SourceEvent = SourceRecord | FailedRecord | SkippedRecord | RobotsRecord;

/** A file that holds many documents. */
export interface RecordFile {
  /** Where it is on this machine. */
  readonly file: string;
  /** Its path inside the source. */
  readonly path: string;
  readonly source: string;
  /** Of records without a licence of their own. */
  readonly licence: LicenceFinding;
  /** Of places where no document could be read. */
  readonly kind: DocumentKind;
  /** Everything beside the file that the records depend on. */
  readonly settings: unknown;
  /** Yields the records in the file's order, failures among them; does not throw for damage. */
  read(): AsyncIterable<SourceEvent>;
}

/** A document's line of the index. */
type DocumentLine = Omit<SourceRecord, "content"> & {
  readonly number: number;
  readonly part: number;
  readonly offset: number;
  readonly size: number;
  readonly failure?: Rejection;
};

/** The index: documents and failures in the file's order, robots.txt files, and at the end what was not listed. */
type IndexLine = DocumentLine | RobotsRecord | { readonly passedOver: Readonly<Record<string, number>> };

/** The records of `file` as work items. */
export async function* unpack(file: RecordFile, context: ReaderContext): AsyncGenerator<WorkItem> {
  context.files.add(file.file);
  const key = hashOf(
    "corpus spool",
    String(spoolVersion),
    await hashFile(file.file),
    canonicalJson(file.settings),
    String(context.maximumFileBytes),
  );
  const folder = join(context.spoolFolder, key.slice(0, 40));
  if (!existsSync(folder)) {
    mkdirSync(context.spoolFolder, { recursive: true });
    await publishFolder(folder, (temporary) => writeSpool(temporary, file, context));
  }
  const now = new Date();
  utimesSync(folder, now, now);
  yield* readSpool(folder, file, context);
}

async function writeSpool(folder: string, file: RecordFile, context: ReaderContext): Promise<void> {
  const writer = new SpoolWriter(folder);
  try {
    let number = 0;
    let failures = 0;
    const passedOver: Record<string, number> = {};
    const passOver = (reason: string) => {
      passedOver[reason] = (passedOver[reason] ?? 0) + 1;
    };
    for await (const record of file.read()) {
      if (context.signal?.aborted) {
        throw new InterruptedError(`the unpacking of ${file.path} was stopped`, {
          remedy: "Run the same command again; files that were unpacked whole are not unpacked again.",
        });
      }
      if ("skipped" in record) {
        passOver(record.skipped);
      } else if ("robots" in record) {
        writer.note(record);
      } else if ("failure" in record) {
        failures++;
        if (failures > listedFailures) passOver("further damaged record");
        else writer.add(number, "", { kind: file.kind, failure: record.failure });
      } else {
        writer.add(number, record.content, record, context.maximumFileBytes);
      }
      number++;
      if (number % 1000 === 0) context.onUnpacked?.(file.path, number);
    }
    writer.end(passedOver);
  } finally {
    writer.close();
  }
}

class SpoolWriter {
  private part = -1;
  private offset = partBytes;
  private descriptor: number | undefined;
  private readonly index: number;
  private lines: string[] = [];

  constructor(private readonly folder: string) {
    this.index = openSync(join(folder, "index.jsonl"), "w");
  }

  add(
    number: number,
    content: string | Uint8Array,
    record: Omit<Partial<SourceRecord>, "content"> & { readonly failure?: Rejection },
    maximumBytes = 0,
  ): void {
    const { format = "text", kind = "prose", licence, url, image, reservation, failure } = record;
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const tooLong: Rejection | undefined =
      bytes.byteLength > maximumBytes
        ? { stage: "read", rule: "size", value: bytes.byteLength, expected: `at most ${maximumBytes} bytes` }
        : undefined;
    const stored = tooLong === undefined ? bytes : Buffer.alloc(0);
    if (this.offset + stored.byteLength > partBytes) this.nextPart();
    const line: DocumentLine = {
      number,
      part: this.part,
      offset: this.offset,
      size: stored.byteLength,
      format,
      kind,
      licence,
      url,
      image,
      reservation,
      failure: failure ?? tooLong,
    };
    writeFully(this.descriptor!, stored);
    this.offset += stored.byteLength;
    this.note(line);
  }

  /** Adds a line to the index. */
  note(line: IndexLine): void {
    this.lines.push(`${JSON.stringify(line)}\n`);
    if (this.lines.length >= 256) this.flush();
  }

  /** Ends the index with what was passed over. */
  end(passedOver: Readonly<Record<string, number>>): void {
    this.note({ passedOver });
    this.flush();
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    closeSync(this.index);
  }

  private flush(): void {
    writeFully(this.index, this.lines.join(""));
    this.lines = [];
  }

  private nextPart(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.part++;
    this.offset = 0;
    this.descriptor = openSync(partFile(this.folder, this.part), "w");
  }
}

function partFile(folder: string, part: number): string {
  return join(folder, `part-${String(part).padStart(5, "0")}.bin`);
}

async function* readSpool(folder: string, file: RecordFile, context: ReaderContext): AsyncGenerator<WorkItem> {
  // Equal findings are one object: a list of millions of records names its few licences once each.
  const licences = new Map<string, LicenceFinding>();
  const shared = (licence: LicenceFinding | undefined): LicenceFinding => {
    if (licence === undefined) return file.licence;
    const key = JSON.stringify(licence);
    if (!licences.has(key)) licences.set(key, licence);
    return licences.get(key)!;
  };
  const lines = createInterface({
    input: createReadStream(join(folder, "index.jsonl")),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const text of lines) {
    // The folder was published whole: these are lines that writeSpool wrote.
    const line = JSON.parse(text) as IndexLine;
    if ("passedOver" in line) {
      for (const [reason, count] of Object.entries(line.passedOver)) skip(context.skipped, reason, count);
      continue;
    }
    if ("robots" in line) {
      context.robots.set(line.robots.address, line.robots.text);
      continue;
    }
    yield {
      source: file.source,
      path: `${file.path}#${line.number}`,
      file: partFile(folder, line.part),
      offset: line.offset,
      size: line.size,
      kind: line.kind,
      format: line.format,
      licence: shared(line.licence),
      ...(line.url === undefined ? {} : { url: line.url }),
      ...(line.image === undefined ? {} : { image: line.image }),
      ...(line.reservation === undefined ? {} : { reservation: line.reservation }),
      ...(line.failure === undefined ? {} : { failure: line.failure }),
    };
  }
}

/** Removes the unpacked files that were not used longest until `maximumBytes` hold the rest. */
export function trimSpool(folder: string, maximumBytes: number): void {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder)
    .map((name) => join(folder, name))
    .map((entry) => ({ entry, used: statSync(entry).mtimeMs, bytes: folderBytes(entry) }))
    .sort((a, b) => b.used - a.used);
  let total = 0;
  for (const { entry, bytes } of entries) {
    total += bytes;
    if (total > maximumBytes) rmSync(entry, { recursive: true, force: true });
  }
}
