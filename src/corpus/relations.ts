/** What can only be decided over all documents: duplicates, which copy stays, and the split. */
import { clusterNearDuplicates, type DeduplicationSettings } from "./dedup/index.ts";
import type { LicenceDecision, Rejection, Split } from "./document.ts";
import { decisionRank } from "./licences/index.ts";
import type { DocumentDigest } from "./partition.ts";
import { assignSplits, type SplitSettings } from "./split/index.ts";

/** A document as the relations see it. */
export interface Candidate extends DocumentDigest {
  readonly licenceDecision: LicenceDecision;
  /** Whether the licence policy takes it. */
  readonly accepted: boolean;
}

/** What the other documents say about one. */
export interface Relation {
  readonly duplicate: Rejection | undefined;
  readonly kept: boolean;
  readonly cluster: string;
  readonly clusterSize: number;
  readonly clusterReason: string;
  readonly split: Split | null;
}

/** The relation of every document, in the same order. The result depends on the documents and their order alone. */
export function relate(
  documents: readonly Candidate[],
  settings: { readonly deduplication: DeduplicationSettings; readonly split: SplitSettings },
): Relation[] {
  const exactKeeper = keepersOf(documents, exactGroups(documents));
  // Near-duplicates are looked for among the kept copies alone; an exact copy is where its kept copy is.
  const labels = clusterNearDuplicates(
    documents.map(({ signature }, index) => (exactKeeper[index] === index ? signature : undefined)),
    settings.deduplication,
  );
  const clusterGroups = new Map<number, number[]>();
  documents.forEach((_, index) => {
    addTo(clusterGroups, labels[exactKeeper[index]], index);
  });
  const nearGroups = [...clusterGroups.values()].map((group) => group.filter((index) => exactKeeper[index] === index));
  const nearKeeper = keepersOf(documents, nearGroups);

  const relations = documents.map((document, index): Omit<Relation, "split"> => {
    const exact = exactKeeper[index];
    const keeper = nearKeeper[exact];
    const size = clusterGroups.get(labels[exact])?.length ?? 1;
    const duplicate =
      exact !== index
        ? duplicateOf("exact-duplicate", "content", documents[exact].id)
        : keeper !== index
          ? duplicateOf("near-duplicate", "minhash", documents[keeper].id)
          : undefined;
    return {
      duplicate,
      kept: duplicate === undefined && document.accepted && document.rejections === 0,
      cluster: documents[keeper].id,
      clusterSize: size,
      clusterReason: reasonFor(documents, index, exact !== index ? exact : keeper, size),
    };
  });
  const keptIndices = documents.flatMap((_, index) => (relations[index].kept ? [index] : []));
  const splits = assignSplits(
    keptIndices.map((index) => ({ cluster: relations[index].cluster, bytes: documents[index].bytes })),
    settings.split,
  );
  const splitOf = new Map(keptIndices.map((index, position) => [index, splits[position]]));
  return relations.map((relation, index) => ({ ...relation, split: splitOf.get(index) ?? null }));
}

function exactGroups(documents: readonly Candidate[]): number[][] {
  const groups = new Map<string, number[]>();
  documents.forEach(({ fingerprint }, index) => {
    addTo(groups, fingerprint ?? `document ${index}`, index);
  });
  return [...groups.values()];
}

function addTo<Key>(groups: Map<Key, number[]>, key: Key, index: number): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [index]);
  else group.push(index);
}

/** For every document the member of its group that stays. */
function keepersOf(documents: readonly Candidate[], groups: readonly (readonly number[])[]): number[] {
  const keepers = documents.map((_, index) => index);
  for (const group of groups) {
    const keeper = group.reduce((best, index) => (preference(documents[index], documents[best]) < 0 ? index : best));
    for (const index of group) keepers[index] = keeper;
  }
  return keepers;
}

const criteria: readonly { readonly reason: string; readonly rank: (document: Candidate) => number }[] = [
  // Before the rights: a copy that is out anyway must not take one that may stay with it.
  { reason: "it passes all rules", rank: (one) => (one.accepted && one.rejections === 0 ? 0 : 1) },
  { reason: "better rights", rank: (one) => decisionRank(one.licenceDecision) },
  { reason: "fewer rules speak against it", rank: (one) => one.rejections },
  { reason: "it is longer", rank: (one) => -one.bytes },
];

/** Negative where `a` is to be kept rather than `b`; 0 leaves it to the order. */
function preference(a: Candidate, b: Candidate): number {
  return decidingCriterion(a, b)?.difference ?? 0;
}

function decidingCriterion(a: Candidate, b: Candidate): { reason: string; difference: number } | undefined {
  for (const { reason, rank } of criteria) {
    const difference = rank(a) - rank(b);
    if (difference !== 0) return { reason, difference };
  }
  return undefined;
}

function duplicateOf(stage: string, rule: string, keeper: string): Rejection {
  return { stage, rule, value: keeper, expected: "one copy; this is the id of the kept one" };
}

function reasonFor(documents: readonly Candidate[], index: number, keeper: number, size: number): string {
  if (size === 1) return "no duplicates";
  if (index === keeper) {
    return documents[index].accepted && documents[index].rejections === 0
      ? `kept out of ${size} copies`
      : `first choice out of ${size} copies, of which none passes all rules`;
  }
  const why = decidingCriterion(documents[keeper], documents[index])?.reason ?? "it comes first";
  return `${documents[keeper].id} was chosen instead: ${why}`;
}
