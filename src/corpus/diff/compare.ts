/** What differs between two builds of a corpus: documents, verdicts, shares, duplicates, measures, settings. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { z } from "zod";
import { type Amount, type CorpusReport, corpusReport } from "../report/index.ts";
import { type DocumentStore, fileView } from "../store/index.ts";
import { settingsDifferences } from "./settings.ts";

const example = z.object({ id: z.string(), source: z.string(), path: z.string() });

const transition = z.object({
  /** `kept`, or the reason of record; null where the document was not there. */
  before: z.string().nullable(),
  after: z.string().nullable(),
  documents: z.number(),
  /** Bytes in the later build; in the earlier one where it is gone. */
  bytes: z.number(),
  examples: z.array(example),
});

/** Documents that went from one verdict to another. */
export type Transition = z.infer<typeof transition>;

const shareChange = z.object({
  name: z.string(),
  keptBytesBefore: z.number(),
  keptBytesAfter: z.number(),
  /** Of all kept bytes of its build, 0–1. */
  shareBefore: z.number(),
  shareAfter: z.number(),
});

export type ShareChange = z.infer<typeof shareChange>;

/** The spread of one measure over the kept documents of a kind in both builds. */
export interface MeasureChange {
  readonly kind: string;
  readonly measure: string;
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The largest move of a quantile, in interquartile ranges of the earlier build (of the value itself where that is 0). */
  readonly shift: number;
}

/** One setting that is not the same. */
export interface SettingChange {
  readonly setting: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface Side {
  readonly key: string;
  readonly tilth: string;
  readonly total: Amount;
  readonly kept: Amount;
}

/** The difference of two builds; documents are the same where source and path are. */
export interface CorpusDiff {
  readonly format: "tilth-corpus-diff";
  readonly version: 1;
  readonly before: Side;
  readonly after: Side;
  readonly documents: {
    readonly added: number;
    readonly removed: number;
    /** The same place, another text. */
    readonly edited: number;
    /** In both builds, with another verdict or another reason of record. */
    readonly changedVerdict: number;
    readonly unchanged: number;
  };
  /** Additions, removals and changes of verdict, most documents first. */
  readonly transitions: readonly Transition[];
  readonly shares: Readonly<Record<(typeof shareColumns)[number], readonly ShareChange[]>>;
  readonly deduplication: Readonly<Record<"before" | "after", Omit<CorpusReport["deduplication"], "largest">>>;
  readonly quality: { readonly shares: readonly number[]; readonly measures: readonly MeasureChange[] };
  readonly settings: readonly SettingChange[];
}

/** Columns whose shares are compared; `licence_decision` is what the policy made of the licence. */
export const shareColumns = ["source", "kind", "licence", "licence_decision", "language"] as const;

/** Groups of each column at most, those whose shares moved most. */
const shownShares = 30;

/** Compares the corpus in `before` with the one in `after`; the folders hold the stores. */
export async function compareCorpora(
  before: { readonly folder: string; readonly store: DocumentStore },
  after: { readonly folder: string; readonly store: DocumentStore },
): Promise<CorpusDiff> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    for (const [name, { folder, store }] of Object.entries({ before, after })) {
      await connection.run(fileView(`all_${name}`, join(folder, store.manifest.file.name)));
      // A place may be listed twice; its rows are then told apart by their order.
      await connection.run(
        `CREATE VIEW ${name} AS SELECT id, source, path, bytes, coalesce(reason, 'kept') AS verdict,
           row_number() OVER (PARTITION BY source, path ORDER BY id) AS place FROM all_${name}`,
      );
    }
    await connection.run(
      `CREATE TABLE pairs AS SELECT source, path, place, b.id AS id_before, a.id AS id_after,
         b.verdict AS before, a.verdict AS after, coalesce(a.bytes, b.bytes) AS bytes
       FROM before b FULL JOIN after a USING (source, path, place)`,
    );
    const rows = async (sql: string) => (await (await connection.run(sql)).getRowObjectsJS()).map(plainNumbers);
    const [counts] = z.array(documentCounts).parse(
      await rows(`SELECT count(*) FILTER (before IS NULL) AS added, count(*) FILTER (after IS NULL) AS removed,
        count(*) FILTER (id_before <> id_after) AS edited,
        count(*) FILTER (before <> after) AS "changedVerdict",
        count(*) FILTER (id_before = id_after AND before = after) AS unchanged FROM pairs`),
    );
    const transitions = z.array(transition).parse(
      await rows(`SELECT before, after, count(*) AS documents, coalesce(sum(bytes), 0) AS bytes,
        list({'id': coalesce(id_after, id_before), 'source': source, 'path': path} ORDER BY source, path)[1:3] AS examples
        FROM pairs WHERE before IS DISTINCT FROM after GROUP BY before, after
        ORDER BY documents DESC, bytes DESC, before NULLS FIRST, after NULLS FIRST`),
    );
    const sharesOf = async (column: string): Promise<ShareChange[]> =>
      z.array(shareChange).parse(
        await rows(`WITH sums AS (
            SELECT coalesce(b.name, a.name) AS name, coalesce(b.bytes, 0) AS "keptBytesBefore", coalesce(a.bytes, 0) AS "keptBytesAfter"
            FROM (SELECT ${column} AS name, sum(bytes) AS bytes FROM all_before WHERE kept GROUP BY 1) b
            FULL JOIN (SELECT ${column} AS name, sum(bytes) AS bytes FROM all_after WHERE kept GROUP BY 1) a USING (name))
          SELECT *, CAST(coalesce("keptBytesBefore" / nullif(sum("keptBytesBefore") OVER (), 0), 0) AS DOUBLE) AS "shareBefore",
            CAST(coalesce("keptBytesAfter" / nullif(sum("keptBytesAfter") OVER (), 0), 0) AS DOUBLE) AS "shareAfter"
          FROM sums ORDER BY abs("shareAfter" - "shareBefore") DESC, name LIMIT ${shownShares}`),
      );
    const shares = {} as Record<(typeof shareColumns)[number], ShareChange[]>;
    for (const column of shareColumns) shares[column] = await sharesOf(column);
    const [first, second] = [await corpusReport(before.store), await corpusReport(after.store)];
    const side = ({ key, tilth, total, kept }: CorpusReport): Side => ({ key, tilth, total, kept });
    const duplicates = ({ deduplication: { largest: _, ...rest } }: CorpusReport) => rest;
    return {
      format: "tilth-corpus-diff",
      version: 1,
      before: side(first),
      after: side(second),
      documents: counts,
      transitions,
      shares,
      deduplication: { before: duplicates(first), after: duplicates(second) },
      quality: { shares: first.quality.shares, measures: measureChanges(first, second) },
      settings: settingsDifferences(before.store.manifest.settings, after.store.manifest.settings),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const documentCounts = z.object({
  added: z.number(),
  removed: z.number(),
  edited: z.number(),
  changedVerdict: z.number(),
  unchanged: z.number(),
});

/** Measures that both builds have and whose quantiles moved, the largest move first. */
function measureChanges(first: CorpusReport, second: CorpusReport): MeasureChange[] {
  const later = new Map(second.quality.measures.map((one) => [`${one.kind} ${one.measure}`, one.quantiles]));
  return first.quality.measures
    .flatMap(({ kind, measure, quantiles: before }) => {
      const after = later.get(`${kind} ${measure}`);
      if (after === undefined) return [];
      const [, low, middle, high] = before;
      const unit = high - low || Math.abs(middle) || 1;
      const shift = Math.max(...before.map((value, at) => Math.abs(after[at] - value))) / unit;
      return shift === 0 ? [] : [{ kind, measure, before, after, shift }];
    })
    .sort((a, b) => b.shift - a.shift || (`${a.kind} ${a.measure}` < `${b.kind} ${b.measure}` ? -1 : 1));
}

function plainNumbers(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
  );
}
