/** All filters, in the order in which their rejections are reported. A new filter of ours is one file and one line here. */
import { UsageError } from "../../foundation/index.ts";
import { boilerplate } from "./boilerplate.ts";
import { c4 } from "./c4.ts";
import { codeQuality } from "./code-quality.ts";
import { dataQuality } from "./data-quality.ts";
import type { Filter } from "./define.ts";
import { encodedData } from "./encoded-data.ts";
import { fineweb } from "./fineweb.ts";
import { generatedCode } from "./generated-code.ts";
import { gopherQuality } from "./gopher-quality.ts";
import { gopherRepetition } from "./gopher-repetition.ts";
import { length } from "./length.ts";
import { pii } from "./pii.ts";
import { toxicity } from "./toxicity.ts";

export const filters = [
  length,
  gopherQuality,
  gopherRepetition,
  fineweb,
  c4,
  codeQuality,
  generatedCode,
  encodedData,
  dataQuality,
  boilerplate,
  toxicity,
  pii,
] as const;

const registered = new Map<string, Filter>();

/**
 * Adds a filter of the user's: it measures every document, and judges by its thresholds or those that settings give it. Called by
 * a plugin when it is loaded. Throws UsageError where a filter has that name already.
 */
export function registerFilter(filter: Filter): void {
  if (registered.has(filter.name) || filters.some(({ name }) => name === filter.name)) {
    throw new UsageError(`there is a filter "${filter.name}" already`, { remedy: "Give the plugin's another name." });
  }
  registered.set(filter.name, filter);
}

/** The filters of plugins, by name. */
export function registeredFilters(): ReadonlyMap<string, Filter> {
  return registered;
}

/** Ours, then those of plugins. */
export function allFilters(): readonly Filter[] {
  return registered.size === 0 ? (filters as readonly Filter[]) : [...filters, ...registered.values()];
}
