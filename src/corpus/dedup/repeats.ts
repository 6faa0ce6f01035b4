/** Removal of what repeats inside kept documents: paragraphs, lines, spans of any place. One copy stays. */
import { join } from "node:path";
import type { Revisions, Texts } from "../revisions.ts";
import { removeRepeatedPieces } from "./pieces.ts";
import type { DeduplicationSettings } from "./settings.ts";
import { removeRepeatedSpans } from "./spans.ts";

/** What a removal works on. */
export interface RepeatSearch {
  /** The kept documents as revised so far, in any order, the same at every call; those trained on before, too. */
  texts(): Texts;
  /** The place of each document in the order of preference; a copy in a document with a lower one stays. */
  readonly rank: Uint32Array;
  /** So many documents at the front are not to be changed. */
  readonly trained: number;
  readonly revisions: Revisions;
  /** A folder for temporary files. */
  readonly folder: string;
}

/** Removes repeats as the settings say: paragraphs, then lines, then spans. */
export async function removeRepeats(search: RepeatSearch, settings: DeduplicationSettings): Promise<void> {
  const { paragraphs, lines, substrings, minimumRemainingBytes } = settings;
  for (const [unit, wanted] of [
    ["paragraph", paragraphs],
    ["line", lines],
  ] as const) {
    if (wanted === null) continue;
    const spill = join(search.folder, `${unit}s`);
    await removeRepeatedPieces(search, { unit, spill, minimumRemainingBytes, ...wanted });
  }
  if (substrings !== null) await removeRepeatedSpans(search, { minimumRemainingBytes, ...substrings });
}

/** Enters the spans into the revisions; a document of which too little is left is rejected. */
export function removeSpans(
  { revisions }: RepeatSearch,
  document: number,
  text: string,
  found: { readonly stage: string; readonly spans: readonly (readonly [number, number])[] },
  minimumRemainingBytes: number,
): void {
  const { stage, spans } = found;
  if (spans.length === 0) return;
  revisions.edit(document, { stage, spans, glue: "" });
  const removed = spans.reduce((sum, [start, end]) => sum + Buffer.byteLength(text.slice(start, end)), 0);
  const left = Buffer.byteLength(text) - removed;
  if (left >= minimumRemainingBytes) return;
  revisions.reject(document, {
    stage,
    rule: "minimumRemainingBytes",
    value: left,
    expected: `at least ${minimumRemainingBytes} bytes without repeats`,
  });
}
