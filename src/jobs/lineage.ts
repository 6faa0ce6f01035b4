/** What a checkpoint's run tells of the documents that trained it: which it saw until then, when, how often. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openDocumentStore } from "../corpus/index.ts";
import { TilthError } from "../foundation/index.ts";
import {
  type LineageDatabase,
  type LineageGraph,
  lineageOf,
  openLineageDatabase,
  readRecord,
} from "../lineage/index.ts";
import { rangesOf, readingsOf, type SeenDocument, seenDocuments, stepsThatSaw } from "./document-map.ts";
import { placesOf, readRunDescription } from "./run-folder.ts";

/** A run, up to a step of it. */
export interface RunUpTo {
  readonly runFolder: string;
  readonly step: number;
}

/** The run whose documents trained a checkpoint, or the nearest one before it in its chain. Throws TilthError where none is here. */
export async function trainingRunOf(path: string): Promise<RunUpTo> {
  const own = runOf(path);
  if (own !== undefined) return own;
  const graph = readRecord(path) === undefined ? undefined : await lineageOf(path);
  for (const { kind, path: place } of graph?.artefacts ?? []) {
    const run = kind === "checkpoint" ? runOf(place) : undefined;
    if (run !== undefined) return run;
  }
  throw new TilthError(
    `${path} lies in no run folder and its chain leads to none: which documents trained it is not known here`,
    {
      remedy: "Give a checkpoint in its run's checkpoints/ folder.",
    },
  );
}

/** The run that wrote a checkpoint, and the step after which it did; undefined where the checkpoint lies alone. */
function runOf(checkpoint: string): RunUpTo | undefined {
  const step = /^step-(\d+)$/.exec(basename(checkpoint))?.[1];
  const runFolder = dirname(dirname(checkpoint));
  if (step === undefined || !existsSync(placesOf(runFolder).description)) return undefined;
  // A run over images has no shards of documents.
  if (readRunDescription(runFolder).objective.kind === "contrastive") return undefined;
  return { runFolder, step: Number(step) };
}

/** Documents that the steps up to a checkpoint saw. `unknownSteps` read shards whose documents nothing tells any more. */
function documentsSeen(checkpoint: string): { readonly seen: SeenDocument[]; readonly unknownSteps: number } {
  const run = runOf(checkpoint);
  const seen = new Map<string, SeenDocument>();
  let unknownSteps = 0;
  for (const { order, reading, steps } of run === undefined ? [] : readingsOf(run.runFolder, run.step)) {
    if (order === undefined || reading === undefined) {
      unknownSteps += steps.length;
      continue;
    }
    for (const one of seenDocuments({ order, reading })) {
      const { firstStep, passes } = seen.get(one.id) ?? { firstStep: one.firstStep, passes: 0 };
      seen.set(one.id, { ...one, firstStep: Math.min(firstStep, one.firstStep), passes: passes + one.passes });
    }
  }
  return { seen: [...seen.values()], unknownSteps };
}

/** The chain of an artefact, and the checkpoint in it whose documents are known: the artefact itself, or the nearest before it. */
export interface Lineage {
  readonly graph: LineageGraph;
  readonly checkpoint?: string;
  readonly unknownSteps: number;
  readonly database: LineageDatabase;
}

/** Opens the chain of an artefact for questions. Close its database. Throws TilthError where it has no record. */
export async function openLineage(path: string): Promise<Lineage> {
  const graph = await lineageOf(path);
  const checkpoint = graph.artefacts.find(
    ({ kind, path: place }) => kind === "checkpoint" && runOf(place) !== undefined,
  );
  const { seen, unknownSteps } =
    checkpoint === undefined ? { seen: [], unknownSteps: 0 } : documentsSeen(checkpoint.path);
  const corpus = graph.artefacts.find(({ kind, present }) => kind === "corpus" && present);
  const store = corpus === undefined ? undefined : await openDocumentStore(corpus.path);
  const documents = store && join(corpus!.path, store.manifest.file.name);
  store?.close();
  return {
    graph,
    checkpoint: checkpoint?.path,
    unknownSteps,
    database: await openLineageDatabase({ graph, documents, seen }),
  };
}

/** From a document to the steps of a checkpoint's run that saw it, up to the checkpoint. */
export interface DocumentTrace {
  readonly id: string;
  readonly source: string;
  readonly path: string;
  readonly licence: string;
  readonly ranges: readonly { readonly shard: string; readonly start: number; readonly end: number }[];
  readonly steps: readonly number[];
}

/** Throws TilthError where the checkpoint's run is not there, or no document has that id. */
export async function traceDocument(checkpoint: string, idPrefix: string): Promise<DocumentTrace> {
  const run = runOf(checkpoint);
  if (run === undefined) {
    throw new TilthError(`${checkpoint} lies in no run folder: which documents trained it is not known here`, {
      remedy: "Give a checkpoint in its run's checkpoints/ folder.",
    });
  }
  const store = await openDocumentStore(placesOf(run.runFolder).corpus);
  let row: Awaited<ReturnType<typeof store.row>>;
  try {
    row = await store.row(idPrefix);
  } finally {
    store.close();
  }
  const { id, source, path, licence } = row;
  const ids = new Set([id]);
  const ranges: { shard: string; start: number; end: number }[] = [];
  const found = readingsOf(run.runFolder, run.step).flatMap(({ shard, order, reading }) => {
    if (order === undefined || reading === undefined) return [];
    const here = rangesOf(order, ids);
    ranges.push(...here.map(({ start, end }) => ({ shard, start, end })));
    return stepsThatSaw(here, reading);
  });
  return { id, source, path, licence: licence.expression, ranges, steps: found.sort((a, b) => a - b) };
}
