/** One document on its way through curation: what every room of the corpus agrees on. */

import type { PiiSpan } from "./pii/index.ts";

/** The kinds of text; each has filters and thresholds of its own. `web` is what a page's main content reads as, `caption` describes an image. */
export const documentKinds = ["web", "prose", "caption", "code", "declarations", "data"] as const;

/** The kind of text decides which filters apply. */
export type DocumentKind = (typeof documentKinds)[number];

/** What a licence policy says of a document: may it train a model, and on which condition. */
export type LicenceDecision = "allow" | "attribute" | "review" | "deny";

/** A licence as found, with what was seen to conclude it. */
export interface LicenceFinding {
  /** SPDX expression, or "NOASSERTION" where nothing usable was found. */
  readonly expression: string;
  /** What the expression rests on, e.g. `package.json "license"`, `LICENSE (sha256 ab12…)`. */
  readonly evidence: string;
  /** 0–1: a declared and confirmed licence is near 1, a guess from a heading near 0.5. */
  readonly confidence: number;
}

/** Why a document is not in the training set. `rule` and `stage` are stable names; the rest is for people. */
export interface Rejection {
  /**
   * `read`, `normalise`, `language`, `filter`, `classifier`, `opt-out`, `licence`, `exact-duplicate`, `near-duplicate`,
   * `trained-before`, `duplicate-paragraphs`, `duplicate-lines`, `repeated-spans`, `decontamination`, `failed`.
   */
  readonly stage: string;
  /** e.g. `gopher-repetition.duplicateLines`. */
  readonly rule: string;
  readonly value?: number | string;
  readonly expected?: string;
}

/** Text taken out of a kept document. Spans are UTF-16 offsets into the text as it was before this edit. */
export interface TextEdit {
  /** `duplicate-paragraphs`, `duplicate-lines`, `repeated-spans`, `decontamination`. */
  readonly stage: string;
  /** Start and end of each, in ascending order. */
  readonly spans: readonly (readonly [start: number, end: number])[];
  /** What joins the pieces that are left; where it is not empty, pieces are trimmed and empty ones dropped. */
  readonly glue: string;
  /** What the spans matched, e.g. the names of evaluation sets. */
  readonly reason?: string;
}

/** Which part of the data a kept document is in. */
export type Split = "train" | "validation";

/** One row of the store: the document and everything that decided about it. */
export interface DocumentRow {
  /** First 16 hexadecimal digits of SHA-256 over source, path and raw text. */
  readonly id: string;
  readonly text: string;
  readonly source: string;
  readonly path: string;
  /** The address that the document came from, where its source says so. */
  readonly url: string | null;
  /** The image that the document captions: a path, or `archive.tar#member`, inside the source. */
  readonly image: string | null;
  readonly kind: DocumentKind;
  /** UTF-8 length of `text`. */
  readonly bytes: number;
  readonly licence: LicenceFinding;
  readonly licenceDecision: LicenceDecision;
  /** The policy line that decided. */
  readonly licenceRule: string;
  /** ISO 639-1, or "und". */
  readonly language: string;
  readonly languageScore: number;
  /** What a second identifier says, where the first was not sure; else null. */
  readonly secondLanguage: string | null;
  readonly secondLanguageScore: number | null;
  /** Every filter's measured values by `filter.measure`, whether they decided or not. */
  readonly measures: Readonly<Record<string, number>>;
  /** Where personal data was replaced in the text, before `edits`. */
  readonly pii: readonly PiiSpan[];
  /** All rules that spoke against the document; empty for a kept one. The first is the reason of record. */
  readonly rejections: readonly Rejection[];
  readonly kept: boolean;
  /** What was taken out of the text after all documents were compared, in order. */
  readonly edits: readonly TextEdit[];
  /** Near-duplicate cluster: the id of its kept (or first) member; the document's own id when it has no duplicates. */
  readonly cluster: string;
  readonly clusterSize: number;
  /** Why this copy was kept out of its cluster, or which copy was kept instead. */
  readonly clusterReason: string;
  readonly split: Split | null;
}
