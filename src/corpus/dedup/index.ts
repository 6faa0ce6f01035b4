/** Duplicates: exact ones by fingerprint, near ones by MinHash. */
import { createHash } from "node:crypto";

export { clusterNearDuplicates } from "./clusters.ts";
export { removeRepeats } from "./repeats.ts";
export { type DeduplicationSettings, deduplicationSettings, matchProbability } from "./settings.ts";
export { estimateSimilarity, minHashSignature } from "./signature.ts";
export { SignatureStore } from "./signature-store.ts";

/**
 * The fingerprint of a text's content: 128 bits of SHA-256 in hexadecimal. White space counts as one space wherever
 * it is, so that a re-wrapped or re-indented copy is an exact duplicate; case and punctuation make a difference.
 */
export function contentFingerprint(text: string): string {
  return createHash("sha256").update(text.replace(/\s+/g, " ").trim()).digest("hex").slice(0, 32);
}
