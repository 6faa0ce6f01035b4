/** From partial rows, relations and revisions to the rows of the store, one partition in memory at a time. */
import { TilthError } from "../foundation/index.ts";
import type { DocumentRow, Rejection, Split } from "./document.ts";
import type { LicencePolicy, LicenceVerdict } from "./licences/index.ts";
import { type PartitionTask, partitionRows } from "./partition.ts";
import { readCachedRows } from "./partition-cache.ts";
import type { PartialRow } from "./process.ts";
import type { WorkItem } from "./readers/index.ts";
import type { Relation, Relations } from "./relations.ts";
import type { Revisions } from "./revisions.ts";
import { type CorpusCounts, reasonOf } from "./store/index.ts";

/** Partitions whose rows are in the cache. */
export interface ProcessedPartitions {
  readonly tasks: readonly PartitionTask[];
  /** The cache key of each task's rows. */
  readonly keys: readonly string[];
}

/** What was decided over all documents; indices are documents, those trained on before come first. */
export interface Decisions {
  readonly verdicts: readonly LicenceVerdict[];
  readonly relations: Relations;
  readonly revisions: Revisions;
  readonly trained: number;
  splitOf(document: number): Split | null;
}

/** Every document's item and rows, in the order of the tasks. `document` counts from `first`. */
export function* partialRows(
  { tasks, keys }: ProcessedPartitions,
  first: number,
): Generator<{ document: number; item: WorkItem; row: PartialRow }> {
  let document = first;
  for (const [index, task] of tasks.entries()) {
    const rows = rowsOf(task, keys[index]);
    for (const [offset, item] of task.items.entries()) yield { document: document++, item, row: rows[offset] };
  }
}

/** All rows of the store, in the order of the tasks' items. */
export function* corpusRows(
  partitions: ProcessedPartitions,
  decisions: Decisions,
  settings: { readonly licences: LicencePolicy },
): Generator<DocumentRow> {
  for (const { document, item, row } of partialRows(partitions, decisions.trained)) {
    yield assemble(document, item, row, decisions, settings.licences);
  }
}

/** The partition's rows from the cache; computed again where the entry is gone or damaged. */
function rowsOf(task: PartitionTask, key: string): PartialRow[] {
  const cached = readCachedRows(task.cacheFolder, key, task.items.length);
  if (cached !== undefined) return cached;
  const computed = partitionRows(task);
  if (computed.key !== key) {
    const [first, last] = [task.items[0], task.items[task.items.length - 1]];
    throw new TilthError(
      `a file changed while the corpus was built: between ${first.source} ${first.path} and ${last.source} ${last.path}`,
      { remedy: "Build it again when nothing writes to the sources." },
    );
  }
  return computed.rows;
}

function assemble(
  document: number,
  item: WorkItem,
  row: PartialRow,
  { verdicts, relations, revisions, trained, splitOf }: Decisions,
  policy: LicencePolicy,
): DocumentRow {
  const verdict = verdicts[document - trained];
  const relation = relations.of(document);
  const rejections = rejectionsOf(item, row, verdict, relation, policy);
  const revised = revisions.rejectionOf(document);
  if (revised !== undefined) rejections.push(revised);
  const edits = revisions.editsOf(document);
  const text = edits.length === 0 ? row.text : revisions.apply(document, row.text);
  return {
    id: row.id,
    text,
    source: item.source,
    path: item.path,
    url: item.url ?? null,
    image: item.image ?? null,
    kind: item.kind,
    bytes: edits.length === 0 ? row.bytes : Buffer.byteLength(text),
    licence: item.licence,
    licenceDecision: verdict.decision,
    licenceRule: verdict.rule,
    language: row.language,
    languageScore: row.languageScore,
    secondLanguage: row.secondLanguage?.language ?? null,
    secondLanguageScore: row.secondLanguage?.score ?? null,
    measures: row.measures,
    pii: row.pii,
    rejections,
    kept: rejections.length === 0,
    edits,
    cluster: relation.cluster,
    clusterSize: relation.clusterSize,
    clusterReason: relation.clusterReason,
    split: splitOf(document),
  };
}

function rejectionsOf(
  item: WorkItem,
  row: PartialRow,
  verdict: LicenceVerdict,
  relation: Relation,
  policy: LicencePolicy,
): Rejection[] {
  const rejections: Rejection[] = [...row.rejections];
  if (verdict.optOut !== undefined) {
    rejections.push({
      stage: "opt-out",
      rule: "opt-out",
      value: verdict.optOut,
      expected: "a publisher who permits training",
    });
  }
  if (!policy.accept.includes(verdict.decision)) {
    rejections.push({
      stage: "licence",
      rule: `licence.${verdict.decision}`,
      value: item.licence.expression,
      expected: policy.accept.join(" or ") || "no decision at all",
    });
  }
  if (relation.duplicate !== undefined) rejections.push(relation.duplicate);
  return rejections;
}

/** Counts to be filled by `countRow`. */
export function emptyCounts(): CorpusCounts {
  return { documents: 0, kept: 0, rejectedByReason: {}, bytes: 0, keptBytes: 0 };
}

/** Adds a row to the counts. */
export function countRow(counts: CorpusCounts, row: DocumentRow): void {
  counts.documents++;
  counts.bytes += row.bytes;
  const reason = reasonOf(row);
  if (reason === undefined) {
    counts.kept++;
    counts.keptBytes += row.bytes;
  } else {
    counts.rejectedByReason[reason] = (counts.rejectedByReason[reason] ?? 0) + 1;
  }
}
