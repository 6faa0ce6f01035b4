/** One partition of documents, from bytes to rows without relations: pure but for reading the files it is given. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { codeOf, hashOf, messageOf, TilthError } from "../foundation/index.ts";
import { type JudgingClassifier, scoreDocument } from "./classifier/index.ts";
import { contentFingerprint, type DeduplicationSettings, minHashSignature } from "./dedup/index.ts";
import type { Rejection } from "./document.ts";
import { type FilterSettings, judgeDocument, measureDocument } from "./filters/index.ts";
import { identifyLanguage, type LanguageGuess, type LanguageSettings, languageRejection } from "./language/index.ts";
import { decodeText, extractHtml, normalise } from "./normalise/index.ts";
import { countPii, type PiiSettings, type PiiSpan, replacePii } from "./pii/index.ts";
import type { WorkItem } from "./readers/index.ts";

/** What a partition's rows depend on beside the documents. */
export interface PartitionSettings {
  readonly filters: FilterSettings;
  readonly language: LanguageSettings;
  readonly deduplication: DeduplicationSettings;
  readonly pii: PiiSettings;
  readonly classifiers: readonly JudgingClassifier[];
  readonly maximumFileBytes: number;
}

/** A document as far as it can be decided by looking at it alone; licence and relations come later. */
export interface PartialRow {
  readonly id: string;
  readonly text: string;
  readonly bytes: number;
  readonly language: string;
  readonly languageScore: number;
  /** A second identifier's answer, where the first was not sure. */
  readonly secondLanguage: LanguageGuess | undefined;
  readonly measures: Readonly<Record<string, number>>;
  readonly pii: readonly PiiSpan[];
  readonly rejections: readonly Rejection[];
  /** Of the content, for exact duplicates; undefined for a document without text. */
  readonly fingerprint: string | undefined;
  readonly signature: Uint32Array | undefined;
}

/** The bytes of a document, or why there are none. */
export type DocumentBytes = { readonly bytes: Uint8Array } | { readonly rejection: Rejection };

/** The file's bytes; a file above the limit is not read at all, one that vanished or is closed to us is rejected. */
export function readDocument(
  item: Pick<WorkItem, "file" | "offset" | "size" | "failure">,
  maximumFileBytes: number,
): DocumentBytes {
  if (item.failure !== undefined) return { rejection: item.failure };
  try {
    if (item.offset !== undefined) return { bytes: readRange(item.file, item.offset, item.size) };
    const { size } = statSync(item.file);
    if (size > maximumFileBytes) {
      return {
        rejection: { stage: "read", rule: "size", value: size, expected: `at most ${maximumFileBytes} bytes` },
      };
    }
    return { bytes: readFileSync(item.file) };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { rejection: { stage: "read", rule: "unreadable", value: code, expected: "a file that can be read" } };
  }
}

function readRange(file: string, offset: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  const descriptor = openSync(file, "r");
  try {
    for (let done = 0; done < size; ) {
      const read = readSync(descriptor, bytes, done, size - done, offset + done);
      if (read === 0)
        throw new TilthError(`${file} is shorter than its index says`, {
          remedy: "Remove it: the source is unpacked again.",
        });
      done += read;
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/** A hash of everything in `contents` that `processPartition` depends on. */
export function contentKey(items: readonly WorkItem[], contents: readonly DocumentBytes[]): string {
  return hashOf(
    ...items.flatMap(({ source, path, kind, format }, index) => {
      const content = contents[index];
      const digest =
        "bytes" in content
          ? createHash("sha256").update(content.bytes).digest("hex")
          : JSON.stringify(content.rejection);
      return [source, path, kind, format, digest];
    }),
  );
}

/** How a partition is gone through. */
export interface ProcessOptions {
  /** Called before each document with its index. */
  readonly onDocument?: (index: number) => void;
  /** Documents that are not to be tried, by index. */
  readonly abandoned?: ReadonlyMap<number, Rejection>;
}

/** The rows of a partition, in the order of its items. A document that fails is rejected with what it failed with. */
export function processPartition(
  items: readonly WorkItem[],
  contents: readonly DocumentBytes[],
  settings: PartitionSettings,
  { onDocument, abandoned }: ProcessOptions = {},
): PartialRow[] {
  return items.map((item, index) => {
    const given = abandoned?.get(index);
    if (given !== undefined) return unread(item, "", given);
    onDocument?.(index);
    try {
      return processDocument(item, contents[index], settings);
    } catch (error) {
      return unread(item, "", {
        stage: "failed",
        rule: "document.error",
        value: messageOf(error),
        expected: "no error while it is processed",
      });
    }
  });
}

function processDocument(item: WorkItem, content: DocumentBytes, settings: PartitionSettings): PartialRow {
  if ("rejection" in content) return unread(item, "", content.rejection);
  const decoded = item.format === "html" ? extractHtml(content.bytes) : decodeText(content.bytes);
  if ("rejection" in decoded) return unread(item, content.bytes, decoded.rejection);
  const id = documentId(item, decoded.text);
  const { text, spans } = replacePii(normalise(decoded.text), item.kind, settings.pii);
  if (text === "") {
    return { ...unread(item, "", { stage: "normalise", rule: "empty", value: 0, expected: "some text" }), id };
  }
  const measures = measureDocument(text, item.kind, { pii: countPii(spans), settings: settings.filters });
  const scored = scoreDocument(text, item.kind, settings.classifiers);
  const identified = identifyLanguage(text, item.kind, settings.language);
  const spoken = languageRejection(item.kind, identified, settings.language);
  const judged = judgeDocument(measures, item.kind, settings.filters);
  return {
    id,
    text,
    bytes: Buffer.byteLength(text),
    language: identified.language,
    languageScore: identified.score,
    secondLanguage: identified.second,
    measures: { ...measures, ...scored.measures },
    pii: spans,
    rejections: [...(spoken === undefined ? [] : [spoken]), ...judged, ...scored.rejections],
    fingerprint: contentFingerprint(text),
    signature: minHashSignature(text, settings.deduplication),
  };
}

/** The row of a document without usable text. */
function unread(item: WorkItem, raw: string | Uint8Array, rejection: Rejection): PartialRow {
  return {
    id: documentId(item, raw),
    text: "",
    bytes: 0,
    language: "und",
    languageScore: 0,
    secondLanguage: undefined,
    measures: {},
    pii: [],
    rejections: [rejection],
    fingerprint: undefined,
    signature: undefined,
  };
}

function documentId(item: WorkItem, raw: string | Uint8Array): string {
  return hashOf(item.source, item.path, raw).slice(0, 16);
}
