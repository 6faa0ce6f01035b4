/** Personal data: found by pattern, replaced by what is reserved for examples; where it was is stored, what it was is not. */
import type { DocumentKind } from "../document.ts";
import { type Detector, detectors, replacements } from "./detectors.ts";
import { secretDetectors } from "./secrets.ts";
import { hasPhones, type PiiKind, type PiiSettings, piiKinds } from "./settings.ts";

export { type PiiKind, type PiiSettings, piiKinds, piiSettings } from "./settings.ts";

/** A place where personal data was replaced. Positions are UTF-16 code units of the text before the edits of its row. */
export interface PiiSpan {
  readonly kind: PiiKind;
  readonly start: number;
  readonly end: number;
  /** Code units that stood there. */
  readonly originalLength: number;
}

interface Found {
  readonly kind: PiiKind;
  readonly start: number;
  readonly end: number;
}

const all: readonly Detector[] = [...secretDetectors, ...detectors];

/**
 * The text with personal data replaced, and where. A second pass over the result finds nothing. Of overlapping finds the
 * first detector's counts: a password in an address comes before the e-mail address that it looks like.
 */
export function replacePii(
  text: string,
  kind: DocumentKind,
  settings: PiiSettings,
): { text: string; spans: PiiSpan[] } {
  const found: Found[] = [];
  for (const detector of all) {
    if (settings[detector.kind] !== "replace" || !detector.possible(text)) continue;
    if (detector.kind === "phone" && !hasPhones(kind)) continue;
    for (const match of text.matchAll(detector.pattern)) {
      const value = match[1] !== undefined && detector.kind === "secret" ? match[1] : match[0];
      const start = match.index + match[0].indexOf(value);
      if (detector.accept?.(value, text, start) === false) continue;
      const end = start + value.length;
      if (!found.some((other) => start < other.end && other.start < end))
        found.push({ kind: detector.kind, start, end });
    }
  }
  if (found.length === 0) return { text, spans: [] };
  found.sort((a, b) => a.start - b.start);
  const pieces: string[] = [];
  const spans: PiiSpan[] = [];
  let from = 0;
  let length = 0;
  for (const { kind: what, start, end } of found) {
    const before = text.slice(from, start);
    const replacement = replacements[what];
    pieces.push(before, replacement);
    length += before.length;
    spans.push({ kind: what, start: length, end: length + replacement.length, originalLength: end - start });
    length += replacement.length;
    from = end;
  }
  pieces.push(text.slice(from));
  return { text: pieces.join(""), spans };
}

/** How many spans there are of each kind. */
export function countPii(spans: readonly PiiSpan[]): Record<PiiKind, number> {
  const counts = Object.fromEntries(piiKinds.map((kind) => [kind, 0])) as Record<PiiKind, number>;
  for (const { kind } of spans) counts[kind]++;
  return counts;
}
