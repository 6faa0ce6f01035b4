/** From signatures to clusters of near-duplicates. */
import { TilthError } from "../../foundation/errors.ts";
import { finaliseHash } from "../normalise/hashing.ts";
import type { DeduplicationSettings } from "./settings.ts";
import { estimateSimilarity } from "./signature.ts";

/**
 * Clusters near-duplicates: entry i is the index of the first member of document i's cluster, its own for a document
 * without duplicates or without a signature. The result depends on the order of the documents, not on timing.
 * Memory: 8 bytes a document and band at most, beside the signatures.
 */
export function clusterNearDuplicates(
  signatures: readonly (Uint32Array | undefined)[],
  settings: Pick<DeduplicationSettings, "bands" | "rows" | "minimumSimilarity">,
): Int32Array {
  const length = settings.bands * settings.rows;
  signatures.forEach((signature, index) => {
    if (signature !== undefined && signature.length !== length) {
      throw new TilthError(
        `signature ${index} has ${signature.length} values; ${length} (bands × rows) were expected`,
        {
          remedy: "Compute all signatures with the settings that cluster them.",
        },
      );
    }
  });
  return settings.minimumSimilarity === null
    ? joinChains(signatures, settings)
    : joinFirstMembers(signatures, settings, settings.minimumSimilarity);
}

/** Single linkage: whatever shares a band is one cluster (union-find). One table serves the bands in turn. */
function joinChains(
  signatures: readonly (Uint32Array | undefined)[],
  settings: Pick<DeduplicationSettings, "bands" | "rows">,
): Int32Array {
  const labels = Int32Array.from(signatures, (_, index) => index);
  const table = new BandTable(signatures, settings.rows);
  for (let band = 0; band < settings.bands; band++) {
    table.start(band);
    signatures.forEach((signature, document) => {
      if (signature === undefined) return;
      const other = table.firstWithSameBand(document, signature);
      if (other !== document) join(labels, other, document);
    });
  }
  for (let document = 0; document < labels.length; document++) labels[document] = rootOf(labels, document);
  return labels;
}

/**
 * Star clusters: a document joins the cluster with the smallest first member among its candidates that is like it
 * enough, or founds its own. Each member is thus compared with its first member, and chains cannot form.
 */
function joinFirstMembers(
  signatures: readonly (Uint32Array | undefined)[],
  settings: Pick<DeduplicationSettings, "bands" | "rows">,
  minimumSimilarity: number,
): Int32Array {
  const labels = Int32Array.from(signatures, (_, index) => index);
  const tables = Array.from({ length: settings.bands }, (_, band) => {
    const table = new BandTable(signatures, settings.rows);
    table.start(band);
    return table;
  });
  // A bucket lists one document of each cluster that came by: its first document, then links from one to the next.
  const links = tables.map(() => new Map<number, number>());
  signatures.forEach((signature, document) => {
    if (signature === undefined) return;
    const heads = tables.map((table) => table.firstWithSameBand(document, signature));
    const compared = new Set<number>();
    let label = document;
    heads.forEach((head, band) => {
      for (let member: number | undefined = head; member !== undefined; ) {
        const founder = labels[member];
        if (founder < label && !compared.has(founder)) {
          compared.add(founder);
          const founderSignature = signatures[founder];
          if (founderSignature && estimateSimilarity(founderSignature, signature) >= minimumSimilarity) label = founder;
        }
        member = links[band].get(member);
      }
    });
    labels[document] = label;
    heads.forEach((head, band) => {
      let last = head;
      for (let member: number | undefined = head; member !== undefined; member = links[band].get(member)) {
        if (labels[member] === label) return;
        last = member;
      }
      links[band].set(last, document);
    });
  });
  return labels;
}

/** Finds the first document that agrees with a given one on all rows of a band: open addressing, exact comparison. */
class BandTable {
  private readonly slots: Int32Array;
  private offset = 0;

  constructor(
    private readonly signatures: readonly (Uint32Array | undefined)[],
    private readonly rows: number,
  ) {
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, signatures.length * 2))));
  }

  start(band: number): void {
    this.slots.fill(-1);
    this.offset = band * this.rows;
  }

  firstWithSameBand(document: number, signature: Uint32Array): number {
    const mask = this.slots.length - 1;
    let hash = this.offset;
    for (let row = 0; row < this.rows; row++)
      hash = Math.imul(hash ^ signature[this.offset + row], 0x9e3779b1) ^ (hash >>> 15);
    for (let slot = finaliseHash(hash) & mask; ; slot = (slot + 1) & mask) {
      const other = this.slots[slot];
      if (other === -1) {
        this.slots[slot] = document;
        return document;
      }
      if (this.agrees(this.signatures[other], signature)) return other;
    }
  }

  private agrees(a: Uint32Array | undefined, b: Uint32Array): boolean {
    if (a === undefined) return false;
    for (let row = this.offset; row < this.offset + this.rows; row++) if (a[row] !== b[row]) return false;
    return true;
  }
}

function rootOf(labels: Int32Array, document: number): number {
  let root = document;
  while (labels[root] !== root) {
    // Halving the path on the way keeps later walks short.
    labels[root] = labels[labels[root]];
    root = labels[root];
  }
  return root;
}

/** The smaller root wins, so that a cluster's label is its first member. */
function join(labels: Int32Array, a: number, b: number): void {
  const rootA = rootOf(labels, a);
  const rootB = rootOf(labels, b);
  if (rootA < rootB) labels[rootB] = rootA;
  else labels[rootA] = rootB;
}
