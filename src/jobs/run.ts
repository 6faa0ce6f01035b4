/** A run from its configuration: corpus, shards, training. Every stage that is already there is reused. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { modelOf, objectiveOf, type RunConfiguration } from "../config/index.ts";
import {
  type CorpusBuild,
  openDocumentStore,
  readerCatalogue,
  renderReportMarkdown,
  writeCorpusReport,
} from "../corpus/index.ts";
import { loadPlugins, type Progress, writeFileAtomically } from "../foundation/index.ts";
import { type Activity, modelCard, recordName } from "../lineage/index.ts";
import {
  continuationFacts,
  continuationFile,
  continuationLines,
  planContinuation,
  replayOf,
  replayTokenizeInput,
} from "./continuation.ts";
import { fromScratchFolder } from "./forgetting.ts";
import { buildRecordedCorpus, checkpointRecord } from "./record-lineage.ts";
import { reportContext } from "./report-context.ts";
import { overriddenForResume } from "./resume-overrides.ts";
import {
  placesOf,
  type RunDescription,
  readRunDescription,
  requireNoCheckpoints,
  writeRunDescription,
} from "./run-folder.ts";
import { runJob } from "./run-job.ts";
import { resumePairsRun } from "./run-pairs.ts";
import { type TokenizeInput, type TokenizeOutput, tokenizeJob } from "./tokenize.ts";
import { type TrainEvent, type TrainOutput, trainJob } from "./train.ts";
import type { TrainPairsEvent } from "./train-pairs.ts";
import { watched } from "./watched.ts";

/** How work of some length is watched and stopped. */
export interface RunHooks<Event> {
  readonly onEvent: (event: Event) => void;
  readonly signal?: AbortSignal;
}

/** A share of the kept bytes. */
export interface LicenceShare {
  readonly expression: string;
  readonly decision: string;
  readonly share: number;
}

/** The corpus of a run and what stands in its report. */
export interface RunCorpus extends CorpusBuild {
  readonly licences: readonly LicenceShare[];
}

/** Builds the run's corpus in its folder, or finds it there. */
export async function buildRunCorpus(
  { runFolder, corpus }: Pick<RunConfiguration, "runFolder" | "corpus">,
  hooks: RunHooks<Progress>,
): Promise<RunCorpus> {
  const folder = placesOf(runFolder).corpus;
  mkdirSync(runFolder, { recursive: true });
  const build = await buildRecordedCorpus({
    sources: corpus.sources,
    folder,
    settings: corpus.settings,
    evaluationSets: corpus.evaluationSets,
    against: corpus.against,
    onProgress: hooks.onEvent,
    signal: hooks.signal,
  });
  return { ...build, licences: await licenceShares(folder) };
}

/** Trains the run's tokenizer and writes its shards, or finds them; those of replayed text too. */
export async function tokenizeRun(
  configuration: RunConfiguration,
  corpus: RunCorpus,
  hooks: RunHooks<Progress>,
): Promise<TokenizeOutput> {
  const shards = await runJob(tokenizeJob, tokenizeInput(configuration, corpus), hooks);
  const replay = replayTokenizeInput(configuration);
  if (replay !== undefined) await runJob(tokenizeJob, replay, hooks);
  return shards;
}

/** What tokenization of a run is told. */
export function tokenizeInput(configuration: RunConfiguration, corpus: Pick<RunCorpus, "key">): TokenizeInput {
  const places = placesOf(configuration.runFolder);
  return {
    store: places.corpus,
    storeKey: corpus.key,
    folder: places.shards,
    specialTokens: objectiveOf(configuration).specialTokens,
    training: configuration.tokenizer,
    mixture: configuration.mixture,
    tokenizer: configuration.continueFrom && join(configuration.continueFrom, "tokenizer.json"),
    extendTokenizer: configuration.continuation.extendTokenizer,
  };
}

/** Writes what training needs into the run's folder. Throws UsageError where it holds checkpoints, unless they may be replaced. */
export async function prepareRun(
  asked: RunConfiguration,
  data: { corpus: RunCorpus; shards: TokenizeOutput },
  options: { replace: boolean },
): Promise<void> {
  const { configuration } = planContinuation(asked);
  const { runFolder, device, training } = configuration;
  const places = placesOf(runFolder);
  requireNoCheckpoints(runFolder, options.replace);
  rmSync(places.checkpoints, { recursive: true, force: true });
  rmSync(places.log, { force: true });
  // What was trained beside an earlier run in this folder is no comparison for this one.
  rmSync(fromScratchFolder(runFolder), { recursive: true, force: true });
  const { architecture, configuration: sizes } = modelOf(configuration, data.shards.vocabularySize);
  const model = { architecture: architecture.name, configuration: sizes as Record<string, unknown> };
  const { corpus } = data;
  const objective = objectiveOf(configuration).settings;
  writeRunDescription(runFolder, { configuration, device, model, training, objective, corpusKey: corpus.key });
  const facts = continuationFacts(configuration);
  if (facts !== undefined) {
    writeFileAtomically(join(runFolder, continuationFile), `${JSON.stringify(facts, null, 2)}\n`);
  }
  const store = await openDocumentStore(places.corpus);
  try {
    const report = await writeCorpusReport(
      store,
      places.report,
      await reportContext(store, places.shards, configuration.corpus.evaluationSets),
    );
    const card = modelCard({
      parameters: architecture.dimensions(sizes).parameters,
      family: architecture.family,
      ...(typeof configuration.continueFrom === "string" && { base: basename(configuration.continueFrom) }),
      objective: objective.kind,
      configuration: model.configuration,
      training: { ...training, tokens: training.steps * training.batchSequences * training.sequenceLength },
      continuation: facts && continuationLines(facts),
      data: renderReportMarkdown(report),
      sources: configuration.corpus.sources.map(
        ({ reader }) => readerCatalogue.find(({ name }) => name === reader)!.title,
      ),
    });
    writeFileAtomically(places.card, card);
  } finally {
    store.close();
  }
}

/** Trains the run from its first step. Throws UsageError where its folder holds checkpoints, unless they may be replaced. */
export async function trainRun(
  configuration: RunConfiguration,
  data: { corpus: RunCorpus; shards: TokenizeOutput },
  options: { replace: boolean; peakFlops?: number },
  hooks: RunHooks<TrainEvent>,
): Promise<TrainOutput> {
  await prepareRun(configuration, data, options);
  const { runFolder } = configuration;
  return startTraining(runFolder, readRunDescription(runFolder), false, options.peakFlops, hooks);
}

/**
 * Continues a run from its last undamaged checkpoint, bit for bit. `overrides` such as `training.microBatchSequences=4` hold
 * for this process: threads and what is no part of the run's numbers. Throws UsageError for any other.
 */
export async function resumeRun(
  runFolder: string,
  hooks: RunHooks<TrainEvent | TrainPairsEvent>,
  overrides: readonly string[] = [],
): Promise<Pick<TrainOutput, "checkpoint" | "steps">> {
  const description = overriddenForResume(readRunDescription(runFolder), overrides);
  await loadPlugins(z.array(z.string()).catch([]).parse(description.configuration.plugins));
  const pairs = resumePairsRun(runFolder, description, hooks);
  if (pairs !== undefined) return pairs;
  return startTraining(runFolder, description, true, undefined, hooks);
}

async function startTraining(
  runFolder: string,
  description: RunDescription,
  resume: boolean,
  peakFlops: number | undefined,
  hooks: RunHooks<TrainEvent>,
): Promise<TrainOutput> {
  const { configuration, device, model, training, objective } = description;
  const { continueFrom } = configuration;
  const places = placesOf(runFolder);
  const travelling = {
    "README.md": places.card,
    "data-report.json": join(places.report, "report.json"),
    "data-report.html": join(places.report, "report.html"),
    "ATTRIBUTION.md": join(places.report, "ATTRIBUTION.md"),
    [continuationFile]: join(runFolder, continuationFile),
  };
  const files = Object.fromEntries(
    Object.entries(travelling)
      .filter(([, path]) => existsSync(path))
      .map(([name, path]) => [name, readFileSync(path, "utf8")]),
  );
  const replay = replayOf(runFolder, configuration);
  const used: Activity["used"] = [
    { role: "training data", kind: "shards", path: places.shards },
    ...(replay === undefined ? [] : [{ role: "replayed data", kind: "shards" as const, path: replay.shards }]),
    ...(typeof continueFrom === "string"
      ? [{ role: "base checkpoint", kind: "checkpoint" as const, path: continueFrom }]
      : []),
  ];
  files[recordName] = await checkpointRecord(runFolder, description, used);
  return watched(runFolder, description, hooks, (watching) =>
    runJob(
      trainJob,
      {
        ...{ runFolder, shards: places.shards, device, model, training, objective, resume, files, peakFlops },
        continueFrom: typeof continueFrom === "string" ? continueFrom : undefined,
        replay,
      },
      watching,
    ),
  );
}

/** Shares of the kept bytes by licence, largest first. */
async function licenceShares(folder: string): Promise<LicenceShare[]> {
  const store = await openDocumentStore(folder);
  try {
    const rows = await store.query(
      `SELECT licence AS expression, licence_decision AS decision,
              CAST(sum(bytes) AS DOUBLE) / CAST(sum(sum(bytes)) OVER () AS DOUBLE) AS share
       FROM documents WHERE kept GROUP BY ALL ORDER BY share DESC, expression`,
    );
    return rows.map((row) => ({
      expression: String(row.expression),
      decision: String(row.decision),
      share: Number(row.share),
    }));
  } finally {
    store.close();
  }
}
