/** From partial rows and relations to the rows of the store, one partition in memory at a time. */

import { TilthError } from "../foundation/errors.ts";
import type { DocumentRow, Rejection } from "./document.ts";
import type { LicencePolicy, LicenceVerdict } from "./licences/index.ts";
import { type PartitionResult, type PartitionTask, partitionRows } from "./partition.ts";
import { readCachedRows } from "./partition-cache.ts";
import type { PartialRow } from "./process.ts";
import type { WorkItem } from "./readers/index.ts";
import type { Relation } from "./relations.ts";
import { type CorpusCounts, reasonOf } from "./store/index.ts";

/** All rows, in the order of the tasks' items. */
export function* corpusRows(
  tasks: readonly PartitionTask[],
  results: readonly PartitionResult[],
  verdicts: readonly LicenceVerdict[],
  relations: readonly Relation[],
  settings: { readonly licences: LicencePolicy },
): Generator<DocumentRow> {
  let position = 0;
  for (const [index, task] of tasks.entries()) {
    const rows = rowsOf(task, results[index]);
    for (const [offset, item] of task.items.entries()) {
      yield assemble(item, rows[offset], verdicts[position], relations[position], settings.licences);
      position++;
    }
  }
}

/** The partition's rows from the cache; computed again where the entry is gone or damaged. */
function rowsOf(task: PartitionTask, result: PartitionResult): PartialRow[] {
  const cached = readCachedRows(task.cacheFolder, result.key, task.items.length);
  if (cached !== undefined) return cached;
  const { key, rows } = partitionRows(task);
  if (key !== result.key) {
    const [first, last] = [task.items[0], task.items[task.items.length - 1]];
    throw new TilthError(
      `a file changed while the corpus was built: between ${first.source} ${first.path} and ${last.source} ${last.path}`,
      { remedy: "Build it again when nothing writes to the sources." },
    );
  }
  return rows;
}

function assemble(
  item: WorkItem,
  row: PartialRow,
  verdict: LicenceVerdict,
  relation: Relation,
  policy: LicencePolicy,
): DocumentRow {
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
  return {
    id: row.id,
    text: row.text,
    source: item.source,
    path: item.path,
    url: item.url ?? null,
    image: item.image ?? null,
    kind: item.kind,
    bytes: row.bytes,
    licence: item.licence,
    licenceDecision: verdict.decision,
    licenceRule: verdict.rule,
    language: row.language,
    languageScore: row.languageScore,
    measures: row.measures,
    rejections,
    kept: relation.kept,
    cluster: relation.cluster,
    clusterSize: relation.clusterSize,
    clusterReason: relation.clusterReason,
    split: relation.split,
  };
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
