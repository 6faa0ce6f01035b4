/** What of given token sequences stands word for word in the shards that trained a checkpoint, in which documents, seen by which steps. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDocumentStore } from "../corpus/index.ts";
import { openMegatronShard } from "../formats/index.ts";
import type { Progress } from "../foundation/index.ts";
import { SpanFinder, type VerbatimSpan } from "../retrieval/index.ts";
import { replayFolder } from "./continuation.ts";
import { readingsOf, type SeenRange, seenRanges } from "./document-map.ts";
import { placesOf } from "./run-folder.ts";

/** A document that holds a span. */
export interface SpanPlace {
  readonly document: string;
  /** Where the document is from; null where its store is not here, as that of replayed text. */
  readonly source: string | null;
  readonly path: string | null;
  readonly licence: string | null;
  /** `train`, or `replay/train` for text of an earlier run. */
  readonly shard: string;
  /** How often steps saw it there up to the checkpoint, and the first that did; null where the order is not known. */
  readonly passes: number | null;
  readonly firstStep: number | null;
}

/** A stretch of a sequence that training documents hold word for word. */
export interface TrainedSpan extends Omit<VerbatimSpan, "places"> {
  /** A document once, those that were seen most first. */
  readonly places: readonly SpanPlace[];
}

export interface TrainedSpans {
  readonly spans: readonly TrainedSpan[];
  /** Tokens that were searched. */
  readonly tokens: number;
  /** Shards that steps read but that are no longer there: a take-down replaced them. */
  readonly gone: readonly string[];
}

/** Places of a stretch that are looked up; the rest is only counted. */
const rememberedPlaces = 50;

interface Searched {
  readonly shard: string;
  readonly ids: readonly string[];
  readonly starts: Float64Array;
  readonly seenIn?: SeenRange;
}

/** Documents that were never seen up to the step are searched too: `passes` is 0 for them, and they come last. Throws TilthError for a damaged shard. */
export async function findTrainedSpans(
  { runFolder, step }: { readonly runFolder: string; readonly step: number },
  sequences: readonly Int32Array[],
  minimum: number,
  emit: (progress: Progress) => void,
): Promise<TrainedSpans> {
  const { shards, corpus } = placesOf(runFolder);
  const readings = readingsOf(runFolder, step);
  const replayed = join(replayFolder(runFolder), "train");
  const prefixes = [
    ...readings.map(({ shard, reading }) => ({ shard, prefix: join(shards, shard), order: reading })),
    ...(existsSync(`${replayed}.idx`) ? [{ shard: "replay/train", prefix: replayed, order: undefined }] : []),
  ];
  const present = prefixes.filter(({ prefix }) => existsSync(`${prefix}.idx`));
  const finder = new SpanFinder(sequences, minimum, rememberedPlaces);
  const searched: Searched[] = [];
  // One numbering over all shards: the finder knows documents only by number.
  const firsts: number[] = [];
  let [documents, tokens] = [0, 0];
  for (const { shard, prefix, order } of present) {
    firsts.push(documents);
    const open = openMegatronShard(prefix);
    try {
      const starts = new Float64Array(open.documents);
      for (let index = 1; index < open.documents; index++) starts[index] = starts[index - 1] + open.lengths[index - 1];
      const ids = readFileSync(`${prefix}.documents.txt`, "utf8").split("\n");
      searched.push({ shard, ids, starts, seenIn: order && seenRanges(order) });
      for (let index = 0; index < open.documents; index++) {
        if (index % 1000 === 0) emit({ stage: "searching", done: index, total: open.documents, unit: "documents" });
        finder.search(documents + index, open.read(index));
      }
      documents += open.documents;
      tokens += open.tokens;
    } finally {
      open.close();
    }
  }
  const spans = finder.spans();
  const described = await describeDocuments(
    corpus,
    spans.flatMap(({ places }) => places.map(({ document }) => idOf(document, firsts, searched))),
  );
  return {
    tokens,
    gone: prefixes.filter((one) => !present.includes(one)).map(({ shard }) => shard),
    spans: spans.map((span) => ({
      ...span,
      places: span.places
        .map(({ document, offset }): SpanPlace => {
          const at = firsts.findLastIndex((first) => first <= document);
          const { shard, ids, starts, seenIn } = searched[at];
          const id = ids[document - firsts[at]];
          const start = starts[document - firsts[at]] + offset;
          const seen = seenIn?.({ start, end: start + span.length });
          return {
            ...{ document: id, shard, firstStep: seen?.firstStep ?? null },
            passes: seen?.passes ?? (seenIn === undefined ? null : 0),
            ...(described.get(id) ?? { source: null, path: null, licence: null }),
          };
        })
        .sort((a, b) => (b.passes ?? 1) - (a.passes ?? 1)),
    })),
  };
}

function idOf(document: number, firsts: readonly number[], searched: readonly Searched[]): string {
  const at = firsts.findLastIndex((first) => first <= document);
  return searched[at].ids[document - firsts[at]];
}

/** Source, path and licence of documents by their ids, as far as the run's store knows them. */
async function describeDocuments(folder: string, ids: readonly string[]) {
  const known = new Map<string, Pick<SpanPlace, "source" | "path" | "licence">>();
  if (ids.length === 0 || !existsSync(join(folder, "corpus.json"))) return known;
  const store = await openDocumentStore(folder);
  try {
    const list = [...new Set(ids)].map((id) => `'${id.replaceAll("'", "''")}'`).join();
    const rows = await store.query(`SELECT id, source, path, licence FROM documents WHERE id IN (${list})`);
    for (const { id, source, path, licence } of rows) {
      known.set(String(id), { source: String(source), path: String(path), licence: licence as string | null });
    }
    return known;
  } finally {
    store.close();
  }
}
