/** What a reader is: it lists what there is to read, and leaves the reading to the workers. */
import type { DocumentKind, LicenceFinding } from "../document.ts";
import type { Skipped } from "./walk.ts";

/** One document to be read. Its text is not here: a corpus of any size is listed in little memory. */
export interface WorkItem {
  /** `npm:zod@4.6.7`, `folder:notes`. */
  readonly source: string;
  /** Path inside the source, with forward slashes. */
  readonly path: string;
  /** Where the bytes are on this machine; not stored in the corpus. */
  readonly file: string;
  /** Bytes of the file when it was listed. */
  readonly size: number;
  readonly kind: DocumentKind;
  readonly licence: LicenceFinding;
}

/** What every reader is given. */
export interface ReaderContext {
  /** Also read JSON, YAML, CSV, XML, HTML and the like. */
  readonly includeData: boolean;
  /** Relative paths of sources are resolved against this folder. */
  readonly baseFolder: string;
  readonly skipped: Skipped;
}

/** A reader of one kind of source. */
export interface Reader<Source> {
  /** Lists the documents in a fixed order; throws TilthError where the source is not there. */
  list(source: Source, context: ReaderContext): Iterable<WorkItem>;
}
