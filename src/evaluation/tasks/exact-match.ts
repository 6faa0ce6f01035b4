/** What of a written answer counts, and whether it is a right one: the rules of lm-evaluation-harness's `exact_match`. */
import type { Extraction, GenerationSettings } from "./item.ts";

/** The text before the first of the stop strings, taken in their order. */
export function beforeStops(text: string, until: readonly string[]): string {
  return until.reduce((left, stop) => (stop === "" ? left : left.split(stop, 1)[0]), text);
}

/** The part of what was written that is the answer; null where the pattern is not in it. */
export function extracted(text: string, extraction: Extraction): string | null {
  if (extraction === "whole") return text;
  if (extraction === "trimmed") return text.trim();
  const found = [...text.matchAll(new RegExp(extraction.pattern, withGlobal(extraction.pattern)))];
  const match = extraction.match === "first" ? found[0] : found.at(-1);
  if (match === undefined) return null;
  const groups = match.slice(1);
  const answer = groups.length === 0 ? match[0] : groups.find((group) => group !== undefined && group !== "");
  return answer?.trim() ?? null;
}

/** Whether an answer equals one of the right ones after both are normalised. */
export function isExactMatch(answer: string, right: readonly string[], settings: GenerationSettings): boolean {
  const wanted = normalized(answer, settings);
  return right.some((one) => normalized(one, settings) === wanted);
}

/** ASCII's punctuation, as Python's `string.punctuation`. */
const punctuation = /[!-/:-@[-`{-~]/g;

function normalized(text: string, { ignoreCase, ignorePunctuation, ignoredPatterns }: GenerationSettings): string {
  let left = text;
  for (const pattern of ignoredPatterns) left = left.replace(new RegExp(pattern, withGlobal(pattern)), "");
  if (ignoreCase) left = left.toLowerCase();
  return ignorePunctuation ? left.replace(punctuation, "") : left;
}

function withGlobal({ flags }: RegExp): string {
  return flags.includes("g") ? flags : `${flags}g`;
}
