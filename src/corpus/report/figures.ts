/** The figures of a corpus: each one is a query over its store, so that none can differ from the data. */
import { z } from "zod";
import type { TaskCoverage } from "../coverage/index.ts";
import { documentKinds } from "../document.ts";
import type { MixturePlan } from "../mixture/index.ts";
import type { DocumentStore } from "../store/index.ts";
import { licenceDecisions } from "./names.ts";
import {
  type ClusterSizes,
  clusterSizesOf,
  type FunnelStage,
  funnelOf,
  histogramsOf,
  type LengthClass,
  lengthsOf,
  type MeasureHistogram,
  type TrainedGroup,
  trainedGroupsOf,
} from "./shapes.ts";
import { storedSettings, thresholdFor } from "./thresholds.ts";

/** Documents and their bytes: UTF-8 lengths of the normal form, 0 for what could not be read. */
const amount = z.object({ documents: z.number(), bytes: z.number() });
export type Amount = z.infer<typeof amount>;

/** A group, all of it and what was kept of it. */
const group = amount.extend({ name: z.string(), keptDocuments: z.number(), keptBytes: z.number() });
export type Group = z.infer<typeof group>;

const reason = amount.extend({ name: z.string() });
export type Reason = z.infer<typeof reason>;

const cluster = z.object({
  id: z.string(),
  source: z.string(),
  path: z.string(),
  members: z.number(),
  bytes: z.number(),
});

/** A cluster of duplicates by its kept (or first) member; `bytes` are those of all members together. */
export type Cluster = z.infer<typeof cluster>;

/** The spread of one measure over the kept documents of a kind. */
export interface MeasureQuantiles {
  readonly kind: string;
  /** `filter.measure`. */
  readonly measure: string;
  /** What the filter asked for, or null for a measure that judged nothing. */
  readonly threshold: string | null;
  /** At the shares of `quantileShares`. */
  readonly quantiles: readonly number[];
}

export const quantileShares = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

const personalData = z.object({ kind: z.string(), spans: z.number(), documents: z.number() });

/** Replaced spans of one kind, e.g. e-mail. */
export type PersonalData = z.infer<typeof personalData>;

/** What a report tells beside the store: it is measured against files that the store does not have. */
export interface ReportContext {
  /** Evaluation tasks held against the training documents. */
  readonly coverage?: readonly TaskCoverage[];
  /** The plan of the shards' mixture. */
  readonly mixture?: MixturePlan;
}

/** The data report. */
export interface CorpusReport {
  readonly format: "tilth-corpus-report";
  readonly version: 2;
  /** The key of the corpus that this describes. */
  readonly key: string;
  readonly tilth: string;
  readonly total: Amount;
  readonly kept: Amount;
  readonly rejected: Amount;
  /** Files that no reader took, by reason: they are not documents and in no other figure. */
  readonly skippedFiles: Readonly<Record<string, number>>;
  /** By the reason of record: the first rule that spoke against the document. */
  readonly rejectedByReason: readonly Reason[];
  readonly byKind: readonly Group[];
  readonly sources: number;
  /** The largest by bytes. */
  readonly topSources: readonly Group[];
  readonly byLicenceDecision: readonly Group[];
  readonly byLicence: readonly Group[];
  readonly byLanguage: readonly Group[];
  readonly deduplication: {
    /** Documents whose reason of record is a duplicate. */
    readonly exact: Amount;
    readonly near: Amount;
    /** Clusters with more than one member. */
    readonly clusters: number;
    readonly documentsInClusters: number;
    readonly largest: readonly Cluster[];
  };
  readonly quality: {
    /** Kept documents that the quantiles are of: all, or an even sample of a large corpus. */
    readonly documents: number;
    readonly shares: readonly number[];
    readonly measures: readonly MeasureQuantiles[];
  };
  readonly splits: readonly Reason[];
  /** Personal data and secrets that were replaced in the kept documents, by kind. */
  readonly personalData: readonly PersonalData[];
  /** Kept documents with a word of the profanity list, and how many such words. */
  readonly toxicity: { readonly documents: number; readonly words: number };
  /** What trains: the largest groups of source and kind, and the plan of the shards where they are mixed. */
  readonly mixture: { readonly groups: readonly TrainedGroup[]; readonly plan: MixturePlan | null };
  /** What each stage rejected and left, in the order of the stages. */
  readonly funnel: readonly FunnelStage[];
  readonly clusterSizes: readonly ClusterSizes[];
  readonly lengths: readonly LengthClass[];
  /** Spreads of the measures that judged. */
  readonly histograms: readonly MeasureHistogram[];
  /** Evaluation tasks, where some are registered. */
  readonly coverage: readonly TaskCoverage[];
  /** What the report owes its reader to say: nothing was looked for here. */
  readonly notMeasured: readonly string[];
}

const toxicity = z.object({ documents: z.number(), words: z.number() });

const topCount = 20;
/** Exact quantiles hold every value in memory; beyond this an even sample by document id is taken. */
const quantileDocuments = 100_000;

const sums = "count(*) AS documents, coalesce(sum(bytes), 0) AS bytes";
const keptSums = "count(*) FILTER (kept) AS keptDocuments, coalesce(sum(bytes) FILTER (kept), 0) AS keptBytes";

/** Computes the report of a store. */
export async function corpusReport(store: DocumentStore, context: ReportContext = {}): Promise<CorpusReport> {
  const amountOf = async (condition: string): Promise<Amount> =>
    amount.parse((await store.query(`SELECT ${sums} FROM documents WHERE ${condition}`))[0]);
  const groupsBy = async (expression: string, limit?: number): Promise<Group[]> => {
    const limited = limit === undefined ? "" : ` LIMIT ${limit}`;
    const sql = `SELECT ${expression} AS name, ${sums}, ${keptSums} FROM documents GROUP BY name ORDER BY bytes DESC, documents DESC, name${limited}`;
    return z.array(group).parse(await store.query(sql));
  };
  const { coverage = [], mixture: plan = null } = context;
  const quality = await qualityOf(store);
  const judging = quality.measures.filter(({ threshold }) => threshold !== null);
  const byDecision = await groupsBy("licence_decision");
  const byKind = await groupsBy("kind");
  return {
    format: "tilth-corpus-report",
    version: 2,
    key: store.manifest.key,
    tilth: store.manifest.tilth,
    total: await amountOf("true"),
    kept: await amountOf("kept"),
    rejected: await amountOf("NOT kept"),
    skippedFiles: store.manifest.skipped,
    rejectedByReason: await reasonsBy(store, "reason", "NOT kept"),
    byKind: inOrder(byKind, documentKinds),
    sources: await numberOf(store, "SELECT count(DISTINCT source) AS number FROM documents"),
    topSources: await groupsBy("source", topCount),
    byLicenceDecision: inOrder(byDecision, licenceDecisions),
    byLicence: await groupsBy("licence", topCount),
    byLanguage: await groupsBy("language", topCount),
    deduplication: {
      exact: await amountOf("starts_with(reason, 'exact-duplicate: ')"),
      near: await amountOf("starts_with(reason, 'near-duplicate: ')"),
      clusters: await numberOf(store, "SELECT count(DISTINCT cluster) AS number FROM documents WHERE cluster_size > 1"),
      documentsInClusters: await numberOf(store, "SELECT count(*) AS number FROM documents WHERE cluster_size > 1"),
      largest: await largestClusters(store),
    },
    quality,
    splits: await reasonsBy(store, "split", "kept"),
    personalData: z.array(personalData).parse(
      await store.query(`
        WITH spans AS (SELECT id, unnest(json_extract(pii, '$[*]')) AS span FROM documents WHERE kept AND pii <> '[]')
        SELECT span->>'kind' AS kind, count(*) AS spans, count(DISTINCT id) AS documents
        FROM spans GROUP BY 1 ORDER BY spans DESC, kind`),
    ),
    toxicity: toxicity.parse(
      (
        await store.query(`
          SELECT count(*) FILTER (words > 0) AS documents, coalesce(sum(words), 0) AS words
          FROM (SELECT coalesce(measures['toxicity.profaneWords'], 0) AS words FROM documents WHERE kept)`)
      )[0],
    ),
    mixture: { groups: await trainedGroupsOf(store, topCount), plan },
    funnel: await funnelOf(store),
    clusterSizes: await clusterSizesOf(store),
    lengths: await lengthsOf(store),
    histograms: await histogramsOf(
      store,
      await sampleOfKept(store),
      new Set(judging.map(({ kind, measure }) => `${kind} ${measure}`)),
    ),
    coverage,
    notMeasured: coverage.length === 0 ? ["evaluation coverage"] : [],
  };
}

async function reasonsBy(store: DocumentStore, column: string, condition: string): Promise<Reason[]> {
  return z
    .array(reason)
    .parse(
      await store.query(
        `SELECT coalesce(${column}, 'none') AS name, ${sums} FROM documents WHERE ${condition} GROUP BY name ORDER BY documents DESC, name`,
      ),
    );
}

async function numberOf(store: DocumentStore, sql: string): Promise<number> {
  return z.object({ number: z.number() }).parse((await store.query(sql))[0]).number;
}

async function largestClusters(store: DocumentStore): Promise<Cluster[]> {
  return z.array(cluster).parse(
    await store.query(`
      WITH clusters AS (
        SELECT cluster, count(*) AS members, sum(bytes) AS bytes FROM documents WHERE cluster_size > 1 GROUP BY cluster
      )
      SELECT id, source, path, members, clusters.bytes AS bytes
      FROM clusters JOIN documents ON documents.id = clusters.cluster
      ORDER BY members DESC, bytes DESC, id LIMIT 10`),
  );
}

const quantileRow = z.object({ kind: z.string(), measure: z.string(), quantiles: z.array(z.number()) });

/** The kept documents, or an even sample of very many, as a condition. */
async function sampleOfKept(store: DocumentStore): Promise<string> {
  const kept = await numberOf(store, "SELECT count(*) AS number FROM documents WHERE kept");
  const stride = Math.max(1, Math.ceil(kept / quantileDocuments));
  // Ids are hashes: every stride-th of them is a sample that does not depend on threads or order.
  return `kept AND ('0x' || substr(id, 1, 8))::UBIGINT % ${stride} = 0`;
}

async function qualityOf(store: DocumentStore): Promise<CorpusReport["quality"]> {
  const chosen = await sampleOfKept(store);
  const rows = await store.query(`
    WITH entries AS (
      SELECT kind, unnest(map_entries(measures)) AS entry FROM documents WHERE ${chosen}
    )
    SELECT kind, entry.key AS measure, quantile_cont(entry.value, [${quantileShares.join(", ")}]) AS quantiles
    FROM entries GROUP BY kind, measure ORDER BY kind, measure`);
  const settings = storedSettings(store.manifest);
  return {
    documents: await numberOf(store, `SELECT count(*) AS number FROM documents WHERE ${chosen}`),
    shares: quantileShares,
    measures: z
      .array(quantileRow)
      .parse(rows)
      .map((row) => ({ ...row, threshold: thresholdFor(row.kind, row.measure, settings) })),
  };
}

function inOrder(groups: readonly Group[], names: readonly string[]): Group[] {
  return names.flatMap((name) => groups.filter((one) => one.name === name));
}
