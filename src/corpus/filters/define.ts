/** What a filter is: named measures, the thresholds that its source published, and where Tilth departs from them. */
import type { DocumentKind } from "../document.ts";
import type { PiiKind } from "../pii/index.ts";
import type { Scan } from "./scan.ts";

/** The values that a measure may take; either bound may be absent, both are inclusive. */
export interface Threshold {
  readonly minimum?: number;
  readonly maximum?: number;
}

/** A threshold other than the published one for a kind of document, and why; `null` switches the rule off. */
export interface Deviation {
  readonly threshold: Threshold | null;
  readonly reason: string;
}

/** A document as filters see it. */
export interface DocumentView {
  readonly text: string;
  readonly kind: DocumentKind;
  /** The whole text. */
  readonly whole: Scan;
  /** Personal data that was replaced in the text, by kind. */
  readonly pii: Readonly<Record<PiiKind, number>>;
  /** The running text of a prose document, without code blocks and markup; the whole text for other kinds. */
  readonly prose: Scan;
}

export interface Filter<Name extends string = string, Measure extends string = string> {
  readonly name: Name;
  /** The kinds that the thresholds judge. Measured is every document. */
  readonly kinds: readonly DocumentKind[];
  /** The paper or project whose rules these are, and whose way of counting. */
  readonly source: string;
  /** What each measure is, in words. */
  readonly measures: Readonly<Record<Measure, string>>;
  /** The published thresholds. A measure without one is stored and judges nothing unless settings say so. */
  readonly thresholds: Readonly<Partial<Record<Measure, Threshold>>>;
  readonly deviations?: Readonly<Partial<Record<DocumentKind, Readonly<Partial<Record<Measure, Deviation>>>>>>;
  /** All values of a document: finite for any text, the empty one included. */
  measure(view: DocumentView): Record<Measure, number>;
}

/** Defines a filter; the registry in `index.ts` lists it. */
export function defineFilter<const Name extends string, const Measure extends string>(
  filter: Filter<Name, Measure>,
): Filter<Name, Measure> {
  return filter;
}

export const atLeast = (minimum: number): Threshold => ({ minimum });
export const atMost = (maximum: number): Threshold => ({ maximum });
export const between = (minimum: number, maximum: number): Threshold => ({ minimum, maximum });

/** `part / whole`, and 0 where there is nothing to be part of. */
export function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
