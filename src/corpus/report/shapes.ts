/** The shapes of a corpus: funnel, cluster sizes, lengths, spreads of measures, what trains. Each is one query over the store. */
import { z } from "zod";
import type { DocumentStore } from "../store/index.ts";

const count = z.number();

const stage = z.object({
  /** `read` first; then a stage of curation that rejected something. */
  stage: z.string(),
  documents: count,
  bytes: count,
  documentsLeft: count,
  bytesLeft: count,
});

/** What a stage rejected, by the reason of record, and what was left after it. */
export type FunnelStage = z.infer<typeof stage>;

/** The order in which a document meets the stages; others come last. */
const stages = [
  ...["read", "failed", "normalise", "language", "filter", "classifier", "opt-out", "licence"],
  ...["exact-duplicate", "near-duplicate", "trained-before", "duplicate-paragraphs", "duplicate-lines"],
  ...["repeated-spans", "decontamination", "taken-down"],
];

/** Rejections stage after stage. Every document is counted where its reason of record is. */
export async function funnelOf(store: DocumentStore): Promise<FunnelStage[]> {
  const places = stages.map((name, at) => `('${name}', ${at})`).join(", ");
  const rows = await store.query(`
    WITH places(stage, place) AS (VALUES ${places}),
    rejected AS (
      SELECT split_part(reason, ': ', 1) AS stage, count(*) AS documents, sum(bytes) AS bytes
      FROM documents WHERE NOT kept GROUP BY 1)
    SELECT stage, documents, bytes,
      (SELECT count(*) FROM documents) - sum(documents) OVER inOrder AS "documentsLeft",
      (SELECT coalesce(sum(bytes), 0) FROM documents) - sum(bytes) OVER inOrder AS "bytesLeft"
    FROM rejected LEFT JOIN places USING (stage)
    WINDOW inOrder AS (ORDER BY coalesce(place, ${stages.length}), stage)
    ORDER BY coalesce(place, ${stages.length}), stage`);
  return z.array(stage).parse(rows);
}

const sizes = z.object({ from: count, to: count, clusters: count, documents: count });

/** Clusters of `from` to `to` members. */
export type ClusterSizes = z.infer<typeof sizes>;

/** Clusters of duplicates by their size, in classes that double. */
export async function clusterSizesOf(store: DocumentStore): Promise<ClusterSizes[]> {
  const rows = await store.query(`
    SELECT CAST(pow(2, class) AS BIGINT) AS "from", CAST(pow(2, class + 1) - 1 AS BIGINT) AS "to",
      count(*) AS clusters, sum(members) AS documents
    FROM (SELECT count(*) AS members, CAST(floor(log2(count(*))) AS INTEGER) AS class
          FROM documents WHERE cluster_size > 1 GROUP BY cluster)
    GROUP BY class ORDER BY class`);
  return z.array(sizes).parse(rows);
}

const lengths = z.object({ from: count, to: count, kept: count, rejected: count });

/** Documents of `from` to below `to` bytes. */
export type LengthClass = z.infer<typeof lengths>;

/** Documents by length, in classes that double; those without text are left out. */
export async function lengthsOf(store: DocumentStore): Promise<LengthClass[]> {
  const rows = await store.query(`
    SELECT CAST(pow(2, class) AS BIGINT) AS "from", CAST(pow(2, class + 1) AS BIGINT) AS "to",
      count(*) FILTER (kept) AS kept, count(*) FILTER (NOT kept) AS rejected
    FROM (SELECT kept, CAST(floor(log2(bytes)) AS INTEGER) AS class FROM documents WHERE bytes > 0)
    GROUP BY class ORDER BY class`);
  return z.array(lengths).parse(rows);
}

const trained = z.object({ source: z.string(), kind: z.string(), documents: count, bytes: count });

/** Training documents of one source and kind. */
export type TrainedGroup = z.infer<typeof trained>;

/** What trains, by source and kind: the largest by bytes. */
export async function trainedGroupsOf(store: DocumentStore, limit: number): Promise<TrainedGroup[]> {
  const rows = await store.query(`
    SELECT source, kind, count(*) AS documents, sum(bytes) AS bytes FROM documents
    WHERE split = 'train' GROUP BY source, kind ORDER BY bytes DESC, source, kind LIMIT ${limit}`);
  return z.array(trained).parse(rows);
}

const histogramRow = z.object({
  kind: z.string(),
  measure: z.string(),
  from: count,
  to: count,
  bin: count,
  documents: count,
});

/** How a measure is spread over kept documents of a kind: `counts[i]` in the i-th of equal classes from `from` to `to`. */
export interface MeasureHistogram {
  readonly kind: string;
  readonly measure: string;
  /** The 1 % and 99 % quantiles; what lies beyond is in the first and last class. */
  readonly from: number;
  readonly to: number;
  readonly counts: readonly number[];
}

const bins = 24;

/** Histograms of the measures `kind measure` that are asked for, over the kept documents that meet the condition. */
export async function histogramsOf(
  store: DocumentStore,
  condition: string,
  wanted: ReadonlySet<string>,
): Promise<MeasureHistogram[]> {
  const rows = z.array(histogramRow).parse(
    await store.query(`
      WITH entries AS (
        SELECT kind, entry.key AS measure, entry.value AS value
        FROM (SELECT kind, unnest(map_entries(measures)) AS entry FROM documents WHERE ${condition})
      ), bounds AS (
        SELECT kind, measure, quantile_cont(value, 0.01) AS "from", quantile_cont(value, 0.99) AS "to"
        FROM entries GROUP BY kind, measure
      )
      SELECT kind, measure, "from", "to", count(*) AS documents,
        CASE WHEN "to" = "from" THEN 0
             ELSE CAST(greatest(0, least(${bins - 1}, floor(${bins} * (value - "from") / ("to" - "from")))) AS INTEGER) END AS bin
      FROM entries JOIN bounds USING (kind, measure) GROUP BY ALL ORDER BY kind, measure, bin`),
  );
  const found = new Map<string, MeasureHistogram & { counts: number[] }>();
  for (const { bin, documents, ...row } of rows) {
    const name = `${row.kind} ${row.measure}`;
    if (!wanted.has(name)) continue;
    const known = found.get(name) ?? { ...row, counts: Array<number>(bins).fill(0) };
    known.counts[bin] = documents;
    found.set(name, known);
  }
  return [...found.values()];
}
