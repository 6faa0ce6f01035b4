/** The thresholds that judged a corpus, from the settings that its manifest holds. */
import { documentKinds } from "../document.ts";
import { describeThreshold, rulesFor } from "../filters/index.ts";
import { type CorpusSettings, corpusSettings } from "../settings.ts";
import type { CorpusManifest } from "../store/index.ts";

/** The settings of a build, or undefined where another version of Tilth wrote ones that this one does not know. */
export function storedSettings(manifest: CorpusManifest): CorpusSettings | undefined {
  const parsed = corpusSettings.safeParse(manifest.settings);
  return parsed.success ? parsed.data : undefined;
}

/** The threshold on a measure for a kind of document, in words; null where none judged. */
export function thresholdFor(kind: string, measure: string, settings: CorpusSettings | undefined): string | null {
  const known = documentKinds.find((name) => name === kind);
  if (known === undefined || settings === undefined) return null;
  const rule = rulesFor(known, settings.filters).find(({ name }) => name === measure);
  return rule === undefined ? null : describeThreshold(rule.threshold);
}
