/** Which documents validate and which train: by cluster, so that the near-duplicates of one are never on both sides. */
import { createHash } from "node:crypto";
import type { Split } from "../document.ts";

/** How the held-out part is drawn. */
export interface SplitSettings {
  /** Share of the clusters (0–1) that would validate if there were no cap. */
  readonly validationShare: number;
  /** Upper bound of the validation part in bytes. */
  readonly maximumValidationBytes: number;
  /** Clusters of more bytes train: one large document must not be the measurement. */
  readonly maximumClusterBytes: number;
  readonly seed: number;
}

/** Bytes below which a small corpus gives more clusters to validation than its share. */
const wantedBytes = 4096;

/**
 * Assigns whole clusters. Every cluster has a fixed place in [0, 1), a hash of (seed, cluster); it validates when that
 * place is below the share, and the lowest places come first while the byte cap lasts. So a cluster's part depends on
 * other documents only through the cap: growth can move a cluster at the cap's edge from validation to training, never
 * the other way, and below the cap nothing moves at all. A cluster above `maximumClusterBytes` or the cap always trains.
 * A corpus so small that its share is less than 4 KiB gives the next clusters too, up to a third of them.
 */
export function assignSplits(rows: readonly { cluster: string; bytes: number }[], settings: SplitSettings): Split[] {
  const { validationShare, maximumValidationBytes } = settings;
  const largest = Math.min(settings.maximumClusterBytes, maximumValidationBytes);
  const clusterBytes = new Map<string, number>();
  for (const row of rows) clusterBytes.set(row.cluster, (clusterBytes.get(row.cluster) ?? 0) + row.bytes);
  const candidates = [...clusterBytes]
    .map(([cluster, bytes]) => ({ cluster, bytes, place: placeOf(cluster, settings.seed) }))
    .filter(({ bytes }) => validationShare > 0 && bytes <= largest)
    .sort((a, b) => a.place - b.place || (a.cluster < b.cluster ? -1 : 1));
  const validation = new Set<string>();
  let total = 0;
  for (const { cluster, bytes, place } of candidates) {
    const tooFew = total < wantedBytes && validation.size < Math.floor(clusterBytes.size / 3);
    // Stopping at the first that does not fit keeps the order strict: a later, smaller one must not jump ahead.
    if ((place >= validationShare && !tooFew) || total + bytes > maximumValidationBytes) break;
    total += bytes;
    validation.add(cluster);
  }
  return rows.map(({ cluster }) => (validation.has(cluster) ? "validation" : "train"));
}

/** The cluster's fixed place in [0, 1): 48 bits of SHA-256 over seed and name. */
function placeOf(cluster: string, seed: number): number {
  return createHash("sha256").update(`${seed}\n${cluster}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
