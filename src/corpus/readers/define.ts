/** What a reader is: it lists what there is to read, and leaves the reading to the workers. */
import type { z } from "zod";
import type { DocumentKind, LicenceFinding, Rejection } from "../document.ts";
import type { Skipped } from "./walk.ts";

/** How the bytes of a document become text: as they are, or by the main content of a page. */
export type DocumentFormat = "text" | "html";

/** One document to be read. Its text is not here: a corpus of any size is listed in little memory. */
export interface WorkItem {
  /** `npm:zod@4.6.7`, `folder:notes`. */
  readonly source: string;
  /** Path inside the source, with forward slashes; a record of a file ends in `#` and its number, from 0. */
  readonly path: string;
  /** Where the bytes are on this machine; not stored in the corpus. */
  readonly file: string;
  /** The document's first byte in `file`; absent where the document is the whole file. */
  readonly offset?: number;
  /** Bytes of the document when it was listed. */
  readonly size: number;
  readonly kind: DocumentKind;
  readonly format: DocumentFormat;
  readonly licence: LicenceFinding;
  /** The address that the document came from, where its source says so. */
  readonly url?: string;
  /** The image that the document captions: a path, or `archive.tar#member`, inside the source. */
  readonly image?: string;
  /** What the document's publisher said against its use, e.g. `tdm-reservation: 1`. */
  readonly reservation?: string;
  /** Why there is no document to read at this place. */
  readonly failure?: Rejection;
}

/** What every reader is given. */
export interface ReaderContext {
  /** Also read JSON, YAML, CSV, XML and the like. */
  readonly includeData: boolean;
  /** Relative paths of sources are resolved against this folder. */
  readonly baseFolder: string;
  /** Records of large files are unpacked here, once for the same file and settings. */
  readonly spoolFolder: string;
  /** A longer record is listed and rejected without being unpacked. */
  readonly maximumFileBytes: number;
  readonly skipped: Skipped;
  /** The raw files that documents come from: records that were unpacked from one are not in it. */
  readonly files: Set<string>;
  /** The robots.txt, ai.txt and tdmrep.json files found among the documents: `example.com/robots.txt`. */
  readonly robots: Map<string, string>;
  readonly signal?: AbortSignal;
  /** Called with a file's name and its records so far, while it is unpacked. */
  readonly onUnpacked?: (file: string, records: number) => void;
}

/** A reader of one kind of source. */
export interface Reader<Schema extends z.ZodType = z.ZodType> {
  /** What configuration says of such a source; has `reader` and `path`. */
  readonly schema: Schema;
  /** What model cards call it, e.g. `installed npm packages`. */
  readonly title: string;
  /** One line for help and documentation. */
  readonly describe: string;
  /** Lists the documents in a fixed order; throws TilthError where the source is not there. */
  list(source: z.output<Schema>, context: ReaderContext): Iterable<WorkItem> | AsyncIterable<WorkItem>;
}

/** Defines a reader; the registry in `index.ts` lists it. */
export function defineReader<Schema extends z.ZodType>(reader: Reader<Schema>): Reader<Schema> {
  return reader;
}
