/** What can only be decided over all documents: duplicates, and which copy stays. */
import { clusterNearDuplicates, type DeduplicationSettings, type SignatureStore } from "./dedup/index.ts";
import type { DigestColumns } from "./digests.ts";
import type { Rejection } from "./document.ts";

/** What licences and opt-outs say, a byte a document. */
export interface Rights {
  /** 0 is best. */
  readonly rank: Uint8Array;
  /** 1 where the policy takes the document. */
  readonly accepted: Uint8Array;
}

/** The documents of a build as the relations see them. */
export interface Candidates {
  readonly digests: DigestColumns;
  readonly rights: Rights;
  readonly signatures: SignatureStore;
  /** So many documents at the front belong to corpora that were trained on before; no copy is preferred to them. */
  readonly trained: number;
}

/** What the other documents say about one. */
export interface Relation {
  readonly duplicate: Rejection | undefined;
  readonly cluster: string;
  readonly clusterSize: number;
  readonly clusterReason: string;
}

/** The relations of all documents. Memory: 16 bytes a document. */
export interface Relations {
  of(document: number): Relation;
  /** Whether nothing speaks against the document: no rule, no licence, no preferred copy. */
  kept(document: number): boolean;
}

/** Relates the documents. The result depends on them and their order alone. */
export function relate(candidates: Candidates, settings: DeduplicationSettings): Relations {
  const { digests, rights, signatures, trained } = candidates;
  const { documents } = digests;
  const exactKeeper = keepersOf(candidates, firstCopies(digests));
  // Near-duplicates are looked for among the kept copies alone; an exact copy is where its kept copy is.
  const labels = clusterNearDuplicates(signatures, settings, (document) => exactKeeper[document] === document);
  for (let document = 0; document < documents; document++) labels[document] = labels[exactKeeper[document]];
  const sizes = new Uint32Array(documents);
  for (let document = 0; document < documents; document++) sizes[labels[document]]++;
  const nearKeeper = keepersOf(candidates, labels, (document) => exactKeeper[document] === document);

  const keeperOf = (document: number) => nearKeeper[exactKeeper[document]];
  return {
    of(document) {
      const exact = exactKeeper[document];
      const keeper = keeperOf(document);
      const chosen = exact === document ? keeper : exact;
      const stage =
        chosen === document ? undefined : chosen < trained ? "trained-before" : exact === document ? "near" : "exact";
      return {
        duplicate:
          stage === undefined
            ? undefined
            : duplicateOf(
                stage === "trained-before" ? stage : `${stage}-duplicate`,
                exact === document ? "minhash" : "content",
                digests.idOf(chosen),
              ),
        cluster: digests.idOf(keeper),
        clusterSize: sizes[labels[document]],
        clusterReason: reasonFor(candidates, document, chosen, sizes[labels[document]]),
      };
    },
    kept: (document) =>
      document >= trained &&
      keeperOf(document) === document &&
      rights.accepted[document] === 1 &&
      digests.rejections[document] === 0,
  };
}

/** For every document the first one with its fingerprint: open addressing over 128 bits. */
function firstCopies({ documents, fingerprints }: DigestColumns): Int32Array {
  let slots = 2;
  while (slots < documents * 2) slots *= 2;
  const table = new Int32Array(slots).fill(-1);
  const low = new Uint32Array(fingerprints.buffer);
  return Int32Array.from({ length: documents }, (_, document) => {
    const [a, b] = [fingerprints[document * 2], fingerprints[document * 2 + 1]];
    if (a === 0n && b === 0n) return document;
    for (let slot = (low[document * 4] & (slots - 1)) >>> 0; ; slot = (slot + 1) & (slots - 1)) {
      const other = table[slot];
      if (other === -1) {
        table[slot] = document;
        return document;
      }
      if (fingerprints[other * 2] === a && fingerprints[other * 2 + 1] === b) return other;
    }
  });
}

/** For every document the member of its group that stays; groups are named by one of their members. */
function keepersOf(
  candidates: Candidates,
  groups: Int32Array,
  eligible: (document: number) => boolean = () => true,
): Int32Array {
  const best = new Int32Array(groups.length).fill(-1);
  for (let document = 0; document < groups.length; document++) {
    if (!eligible(document)) continue;
    const known = best[groups[document]];
    if (known === -1 || preference(candidates, document, known) < 0) best[groups[document]] = document;
  }
  return groups.map((group) => best[group]);
}

const criteria: readonly {
  readonly reason: string;
  readonly rank: (candidates: Candidates, document: number) => number;
}[] = [
  { reason: "it was trained on before", rank: ({ trained }, document) => (document < trained ? 0 : 1) },
  // Before the rights: a copy that is out anyway must not take one that may stay with it.
  {
    reason: "it passes all rules",
    rank: ({ rights, digests }, document) =>
      rights.accepted[document] === 1 && digests.rejections[document] === 0 ? 0 : 1,
  },
  { reason: "better rights", rank: ({ rights }, document) => rights.rank[document] },
  { reason: "fewer rules speak against it", rank: ({ digests }, document) => digests.rejections[document] },
  { reason: "it is longer", rank: ({ digests }, document) => -digests.bytes[document] },
];

/** Negative where `a` is to be kept rather than `b`; 0 leaves it to the order. */
function preference(candidates: Candidates, a: number, b: number): number {
  return decidingCriterion(candidates, a, b)?.difference ?? 0;
}

function decidingCriterion(
  candidates: Candidates,
  a: number,
  b: number,
): { reason: string; difference: number } | undefined {
  for (const { reason, rank } of criteria) {
    const difference = rank(candidates, a) - rank(candidates, b);
    if (difference !== 0) return { reason, difference };
  }
  return undefined;
}

function duplicateOf(stage: string, rule: string, keeper: string): Rejection {
  return { stage, rule, value: keeper, expected: "one copy; this is the id of the kept one" };
}

function reasonFor(candidates: Candidates, document: number, keeper: number, size: number): string {
  if (size === 1) return "no duplicates";
  const { rights, digests } = candidates;
  if (document === keeper) {
    return rights.accepted[document] === 1 && digests.rejections[document] === 0
      ? `kept out of ${size} copies`
      : `first choice out of ${size} copies, of which none passes all rules`;
  }
  const why = decidingCriterion(candidates, keeper, document)?.reason ?? "it comes first";
  return `${digests.idOf(keeper)} was chosen instead: ${why}`;
}
