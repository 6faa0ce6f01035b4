/** Filters: every document is measured once; thresholds judge the stored values, and may change without a new pass. */
import { TilthError } from "../../foundation/index.ts";
import type { DocumentKind, Rejection } from "../document.ts";
import { countPii, type PiiKind } from "../pii/index.ts";
import { measureAsDatatrove } from "./datatrove/index.ts";
import type { Deviation, Filter, Threshold } from "./define.ts";
import { proseOf } from "./prose.ts";
import { allFilters, filters } from "./registry.ts";
import { Scratch, scan } from "./scan.ts";
import { countsAsDatatrove, type FilterSettings, filterSettings, rulesFor } from "./settings.ts";

export {
  atLeast,
  atMost,
  between,
  type DocumentView,
  defineFilter,
  type Filter,
  type Threshold,
} from "./define.ts";
export { registerFilter } from "./registry.ts";
export { type FilterSettings, filterSettings, rulesFor } from "./settings.ts";

const wholeScratch = new Scratch();
const proseScratch = new Scratch();

/** What a document's values depend on beside its text. */
export interface MeasureOptions {
  /** Personal data that was replaced in the text, by kind. */
  readonly pii?: Readonly<Record<PiiKind, number>>;
  /** The presets decide whether datatrove's way of counting is asked for. */
  readonly settings?: FilterSettings;
}

const defaultSettings = filterSettings.parse({});

/**
 * Every filter's values of a document, by `filter.measure`: the same keys for every document, all finite. The filters
 * for prose look at the running text of a prose document and at the whole text of any other.
 */
export function measureDocument(
  text: string,
  kind: DocumentKind,
  { pii = countPii([]), settings = defaultSettings }: MeasureOptions = {},
): Record<string, number> {
  const whole = scan(text, wholeScratch);
  const running = kind === "prose" ? proseOf(text) : text;
  const view = { text, kind, pii, whole, prose: running === text ? whole : scan(running, proseScratch) };
  const measures: Record<string, number> = {};
  const counted = countsAsDatatrove(kind, settings) ? measureAsDatatrove(text) : {};
  for (const filter of allFilters()) {
    const values = counted[filter.name] ?? filter.measure(view);
    for (const measure in values) measures[`${filter.name}.${measure}`] = values[measure];
  }
  return measures;
}

/**
 * The rules that speak against a document with these values, in the registry's order; empty for one to keep. A value
 * on the threshold passes. A rule whose value was not measured is an error, not a pass.
 */
export function judgeDocument(
  measures: Readonly<Record<string, number>>,
  kind: DocumentKind,
  settings: FilterSettings,
): Rejection[] {
  const rejections: Rejection[] = [];
  for (const { name, threshold } of rulesFor(kind, settings)) {
    const value = measures[name];
    if (value === undefined) {
      throw new TilthError(`the document has no value for ${name}, which a filter rule judges`, {
        remedy: "It was measured by another version: build the corpus again, or switch the rule off with null.",
      });
    }
    const passes =
      (threshold.minimum === undefined || value >= threshold.minimum) &&
      (threshold.maximum === undefined || value <= threshold.maximum);
    if (!passes) rejections.push({ stage: "filter", rule: name, value, expected: describeThreshold(threshold) });
  }
  return rejections;
}

/** One filter as documentation and help show it. */
export interface FilterEntry {
  readonly name: string;
  readonly kinds: readonly DocumentKind[];
  readonly source: string;
  readonly measures: readonly {
    readonly name: string;
    readonly description: string;
    /** The published threshold in words, or null for a measure that judges nothing by default. */
    readonly threshold: string | null;
    readonly deviations: readonly {
      readonly kind: DocumentKind;
      readonly threshold: string | null;
      readonly reason: string;
    }[];
  }[];
}

/** All filters with their sources, measures, thresholds and deviations. */
export const filterCatalogue: readonly FilterEntry[] = (filters as readonly Filter[]).map((filter) => ({
  name: filter.name,
  kinds: filter.kinds,
  source: filter.source,
  measures: Object.entries(filter.measures).map(([name, description]) => ({
    name,
    description,
    threshold: describeOptional(filter.thresholds[name]),
    deviations: deviationsOf(filter, name).map(([kind, { threshold, reason }]) => ({
      kind,
      threshold: describeOptional(threshold),
      reason,
    })),
  })),
}));

function deviationsOf(filter: Filter, measure: string): [DocumentKind, Deviation][] {
  return filter.kinds.flatMap((kind) => {
    const deviation = filter.deviations?.[kind]?.[measure];
    return deviation === undefined ? [] : [[kind, deviation] as [DocumentKind, Deviation]];
  });
}

function describeOptional(threshold: Threshold | null | undefined): string | null {
  return threshold ? describeThreshold(threshold) : null;
}

/** `50–100000`, `at least 50` or `at most 0.1`. */
export function describeThreshold({ minimum, maximum }: Threshold): string {
  if (minimum === undefined) return `at most ${maximum}`;
  return maximum === undefined ? `at least ${minimum}` : `${minimum}–${maximum}`;
}
