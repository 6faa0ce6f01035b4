/** From signatures to clusters of near-duplicates. */
import { finaliseHash } from "../text/index.ts";
import type { DeduplicationSettings } from "./settings.ts";
import { estimateSimilarity } from "./signature.ts";
import type { SignatureStore } from "./signature-store.ts";

type Bands = Pick<DeduplicationSettings, "bands" | "rows">;

/**
 * Clusters near-duplicates: entry i is the index of the first member of document i's cluster, its own for a document
 * without duplicates or without a signature, or for which `compared` is false. The result depends on the order of the
 * documents, not on timing. Memory: 12 bytes a document, and 8 for every band that a document shares with another.
 */
export function clusterNearDuplicates(
  signatures: SignatureStore,
  settings: Pick<DeduplicationSettings, "bands" | "rows" | "minimumSimilarity">,
  compared: (document: number) => boolean = () => true,
): Int32Array {
  const labels = Int32Array.from({ length: signatures.documents }, (_, index) => index);
  if (settings.minimumSimilarity === null) {
    forEachBucket(signatures, settings, compared, (members) => {
      for (const member of members) join(labels, members[0], member);
    });
    for (let document = 0; document < labels.length; document++) labels[document] = rootOf(labels, document);
  } else {
    joinFirstMembers(
      labels,
      bucketsOfDocuments(signatures, settings, compared),
      signatures,
      settings.minimumSimilarity,
    );
  }
  return labels;
}

/** Visits, band by band, all sets of two or more documents that agree on every row of the band, each in ascending order. */
function forEachBucket(
  signatures: SignatureStore,
  { bands, rows }: Bands,
  compared: (document: number) => boolean,
  visit: (members: readonly number[]) => void,
): void {
  // A document's band as one number: 32 bits of hash above 32 bits of index, so that sorting gathers candidates.
  const entries = new BigUint64Array(signatures.documents);
  const halves = new Uint32Array(entries.buffer);
  for (let band = 0; band < bands; band++) {
    const [start, end] = [band * rows, (band + 1) * rows];
    let count = 0;
    signatures.forEach((document, signature) => {
      if (!compared(document)) return;
      halves[count * 2] = document;
      halves[count * 2 + 1] = hashRows(signature, start, end);
      count++;
    });
    entries.subarray(0, count).sort();
    for (let first = 0; first < count; ) {
      let next = first + 1;
      while (next < count && halves[next * 2 + 1] === halves[first * 2 + 1]) next++;
      if (next - first > 1) {
        const candidates = Array.from({ length: next - first }, (_, index) => halves[(first + index) * 2]);
        for (const members of equalRows(candidates, signatures, start, end)) if (members.length > 1) visit(members);
      }
      first = next;
    }
  }
}

function hashRows(signature: Uint32Array, start: number, end: number): number {
  let hash = start;
  for (let row = start; row < end; row++) hash = Math.imul(hash ^ signature[row], 0x9e3779b1) ^ (hash >>> 15);
  return finaliseHash(hash);
}

/** Documents whose hashes are equal, by whether their rows are. */
function equalRows(candidates: readonly number[], signatures: SignatureStore, start: number, end: number): number[][] {
  const groups = new Map<string, number[]>();
  for (const document of candidates) {
    const key = signatures.read(document).subarray(start, end).join(" ");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [document]);
    else group.push(document);
  }
  return [...groups.values()];
}

/** The buckets of every document, as one list with an offset for each document. */
interface BucketLists {
  readonly buckets: number;
  readonly offsets: Uint32Array;
  readonly lists: Uint32Array;
}

function bucketsOfDocuments(
  signatures: SignatureStore,
  settings: Bands,
  compared: (document: number) => boolean,
): BucketLists {
  const memberships = { documents: new Uint32Array(1024), count: 0 };
  const ends: number[] = [];
  forEachBucket(signatures, settings, compared, (members) => {
    for (const member of members) {
      if (memberships.count === memberships.documents.length) {
        const larger = new Uint32Array(memberships.count * 2);
        larger.set(memberships.documents);
        memberships.documents = larger;
      }
      memberships.documents[memberships.count++] = member;
    }
    ends.push(memberships.count);
  });
  const offsets = new Uint32Array(signatures.documents + 1);
  for (let index = 0; index < memberships.count; index++) offsets[memberships.documents[index] + 1]++;
  for (let document = 0; document < signatures.documents; document++) offsets[document + 1] += offsets[document];
  const lists = new Uint32Array(memberships.count);
  const filled = offsets.slice();
  let start = 0;
  ends.forEach((end, bucket) => {
    for (let index = start; index < end; index++) lists[filled[memberships.documents[index]]++] = bucket;
    start = end;
  });
  return { buckets: ends.length, offsets, lists };
}

/**
 * Star clusters: a document joins the cluster with the smallest first member among its candidates that is like it
 * enough, or founds its own. Each member is thus compared with its first member, and chains cannot form.
 */
function joinFirstMembers(
  labels: Int32Array,
  { buckets, offsets, lists }: BucketLists,
  signatures: SignatureStore,
  minimumSimilarity: number,
): void {
  // The first members of the clusters that came by in each bucket.
  const founders = new Array<number[] | undefined>(buckets);
  for (let document = 0; document < labels.length; document++) {
    const own = lists.subarray(offsets[document], offsets[document + 1]);
    if (own.length === 0) continue;
    const candidates = new Set<number>();
    for (const bucket of own) for (const founder of founders[bucket] ?? []) candidates.add(founder);
    if (candidates.size > 0) {
      const signature = signatures.read(document).slice();
      for (const founder of Uint32Array.from(candidates).sort()) {
        if (estimateSimilarity(signatures.read(founder), signature) < minimumSimilarity) continue;
        labels[document] = founder;
        break;
      }
    }
    for (const bucket of own) {
      founders[bucket] ??= [];
      if (!founders[bucket].includes(labels[document])) founders[bucket].push(labels[document]);
    }
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
