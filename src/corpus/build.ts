/** Building a corpus: from sources to a document store that is whole or absent. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import {
  canonicalJson,
  hashFile,
  hashOf,
  messageOf,
  packageVersion,
  pluginPaths,
  publishFolder,
  removeLeftovers,
  returnFreedMemory,
  TilthError,
  temporaryNameFor,
  type WorkOptions,
  writeFileAtomically,
} from "../foundation/index.ts";
import { corpusRows, countRow, emptyCounts } from "./assemble.ts";
import { BuildLock } from "./build-lock.ts";
import { prepareClassifiers } from "./classifier/index.ts";
import { Gathered } from "./decide.ts";
import { type EvaluationSetInput, loadEvaluationSets } from "./decontamination/index.ts";
import type { DocumentRow } from "./document.ts";
import { decideFinding, type LicenceVerdict, type OptOuts, openOptOuts } from "./licences/index.ts";
import { type PartitionTask, partition } from "./partition.ts";
import { trimCache } from "./partition-cache.ts";
import { type CorpusSourceInput, type Listing, listSources, trimSpool, type WorkItem } from "./readers/index.ts";
import { runPartitions, throwIfInterrupted } from "./run-partitions.ts";
import {
  type CorpusSettings,
  type CorpusSettingsInput,
  parseCorpusSettings,
  parseEvaluationSets,
  parseSources,
} from "./settings.ts";
import {
  type CorpusCounts,
  type CorpusManifest,
  companionNames,
  documentsName,
  isDocumentsFile,
  manifestName,
  openDocumentStore,
  readManifest,
  writeDocuments,
} from "./store/index.ts";
import { readTombstones, withoutTakenDown } from "./takedown/index.ts";
import { buildTextLibrary, useTextKernels } from "./text/index.ts";
import { TrainedCorpora } from "./trained.ts";

/** Raised whenever the same rows are stored in another way. */
const storeVersion = 4;
/** Where records of large files lie unpacked, below the cache. */
const spoolName = "spool";

/** What a corpus is built from and where. */
export interface CorpusBuildOptions extends WorkOptions {
  readonly sources: readonly CorpusSourceInput[];
  /** The store's folder; an older corpus there is replaced, anything else is not touched. */
  readonly folder: string;
  readonly settings?: CorpusSettingsInput;
  /** Evaluation sets whose texts are taken out of the training set. */
  readonly evaluationSets?: readonly EvaluationSetInput[];
  /** Folders of corpora that were trained on before: copies of what they hold are rejected. */
  readonly against?: readonly string[];
  /** Relative paths of sources start here; the current folder if left out. */
  readonly baseFolder?: string;
  /** Where results of partitions are kept; `corpus-cache` beside the store if left out. */
  readonly cacheFolder?: string;
  /** The cache is trimmed to this size after a build. */
  readonly maximumCacheBytes?: number;
  /** Told the sources, with absolute paths, and every raw file that was read, before the first document is. */
  readonly onSources?: (raw: RawSources) => void;
  /** Worker threads; 0 works in the calling thread. */
  readonly workers?: number;
}

/** Where a corpus comes from. */
export interface RawSources {
  readonly sources: readonly { readonly reader: string; readonly path: string }[];
  readonly files: ReadonlySet<string>;
}

/** The outcome of a build. */
export interface CorpusBuild extends CorpusCounts {
  readonly folder: string;
  /** Equal keys mean equal corpora. */
  readonly key: string;
  /** The store was there already, from the same documents and settings. */
  readonly reused: boolean;
  /** Files that no reader took, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/**
 * Builds the corpus of `sources` in `folder`. Every document becomes a row; whatever speaks against it is in the row.
 * The rows depend on documents and settings alone, not on the number of workers, and not on how often the build was
 * stopped or killed before. Throws UsageError or TilthError for what the user can mend, InterruptedError when `signal`
 * aborts.
 */
export async function buildCorpus(options: CorpusBuildOptions): Promise<CorpusBuild> {
  const plan = await planBuild(options);
  const { folder, settings, listing, optOuts, tasks, baseFolder } = plan;
  const sources = parseSources(options.sources).map(({ reader, path }) => ({
    reader,
    path: resolve(baseFolder, path),
  }));
  options.onSources?.({ sources, files: listing.files });
  refuseForeignFolder(folder);
  const lock = new BuildLock(folder);
  const trained = await TrainedCorpora.open((options.against ?? []).map((path) => resolve(plan.baseFolder, path)));
  let gathered: Gathered | undefined;
  try {
    for (const name of [folder, workFolder(folder)]) removeLeftovers(dirname(name), basename(name));
    const sets = await loadEvaluationSets(parseEvaluationSets(options.evaluationSets ?? []), plan.baseFolder);
    useTextKernels(plan.textLibrary);
    const work = temporaryNameFor(workFolder(folder));
    const documents = await Gathered.begin(listing.items.length, work, settings, trained);
    gathered = documents;
    await runPartitions(
      tasks,
      {
        ...options,
        workers: options.workers ?? Math.min(availableParallelism(), 8),
        maximumDocumentSeconds: settings.maximumDocumentSeconds,
      },
      (result) => documents.take(result),
    );
    // What the workers held is not held beside what writing takes.
    returnFreedMemory();

    const tombstones = readTombstones(folder);
    const key = storeKey(settings, documents.keys, listing, optOuts, [
      ...tombstones.map(({ id }) => `taken down ${id}`),
      ...trained.keys,
      ...sets.map(({ name, fields, sha256 }) => canonicalJson([name, fields, sha256])),
    ]);
    const existing = await reusableManifest(folder, key);
    if (existing !== undefined) return { ...existing.counts, folder, key, reused: true, skipped: existing.skipped };

    options.onProgress?.({ stage: "comparing", done: 0, total: listing.items.length, unit: "documents" });
    const partitions = { tasks, keys: documents.keys };
    const decisions = await documents.decide(decideAll(listing.items, settings, optOuts), partitions, sets);
    throwIfInterrupted(options.signal);

    let counts = emptyCounts();
    await publishFolder(folder, async (temporary) => {
      const write = (memoryLimit?: `${number}MB`) => {
        counts = emptyCounts();
        const rows = withoutTakenDown(corpusRows(partitions, decisions, settings), tombstones);
        return writeDocuments(temporary, watched(rows, counts, listing.items.length, options), memoryLimit);
      };
      try {
        await write(writingMemory);
      } catch (error) {
        if (!/out of memory/i.test(messageOf(error))) throw error;
        await write();
      }
      const file = join(temporary, documentsName);
      const manifest: CorpusManifest = {
        format: "tilth-corpus",
        version: 1,
        key,
        tilth: packageVersion(),
        counts,
        skipped: { ...listing.skipped },
        settings,
        file: { name: documentsName, bytes: statSync(file).size, sha256: await hashFile(file) },
      };
      writeFileAtomically(join(temporary, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    });
    const maximumCacheBytes = options.maximumCacheBytes ?? 20_000_000_000;
    trimCache(plan.cacheFolder, maximumCacheBytes);
    trimSpool(join(plan.cacheFolder, spoolName), maximumCacheBytes);
    return { ...counts, folder, key, reused: false, skipped: listing.skipped };
  } finally {
    gathered?.close();
    trained.close();
    lock.release();
  }
}

/** Enough for DuckDB to write the store, however large; only row groups of very long documents need more. */
const writingMemory = "256MB";

/** Where signatures and the like wait during a build. */
const workFolder = (folder: string) => `${folder}.work`;

/** What is to be done for a build, before any document is read. */
export interface BuildPlan {
  readonly settings: CorpusSettings;
  readonly folder: string;
  readonly cacheFolder: string;
  readonly baseFolder: string;
  readonly listing: Listing;
  readonly optOuts: OptOuts;
  readonly tasks: readonly PartitionTask[];
  readonly textLibrary: string | undefined;
}

/** Lists the documents and cuts them into tasks: the same sources and settings give the same list on every machine. */
export async function planBuild(options: CorpusBuildOptions): Promise<BuildPlan> {
  const settings = parseCorpusSettings(options.settings ?? {});
  const sources = parseSources(options.sources);
  const folder = resolve(options.folder);
  const baseFolder = resolve(options.baseFolder ?? ".");
  const cacheFolder = resolve(options.cacheFolder ?? join(dirname(folder), "corpus-cache"));
  const listing = await listSources(sources, {
    includeData: settings.includeData,
    baseFolder,
    spoolFolder: join(cacheFolder, spoolName),
    maximumFileBytes: settings.maximumFileBytes,
    signal: options.signal,
    onUnpacked: (file, done) => options.onProgress?.({ stage: "unpacking", done, unit: "records", detail: file }),
  });
  const classifiers = prepareClassifiers(settings.classifiers, baseFolder);
  const optOuts = openOptOuts(settings.licences.optOut, listing.robots, baseFolder);

  const textLibrary = await buildTextLibrary();
  const { filters, language, deduplication, pii, maximumFileBytes } = settings;
  const tasks = partition(listing.items).map(
    (items): PartitionTask => ({
      items,
      settings: { filters, language, deduplication, pii, classifiers, maximumFileBytes },
      cacheFolder,
      textLibrary,
      plugins: pluginPaths(),
    }),
  );
  return { settings, folder, cacheFolder, baseFolder, listing, optOuts, tasks, textLibrary };
}

/** What a build would read. */
export interface CorpusListing {
  readonly documents: number;
  readonly bytes: number;
  /** By source, the largest first. */
  readonly sources: readonly { readonly source: string; readonly documents: number; readonly bytes: number }[];
  /** Files that no reader takes, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** Lists what `buildCorpus` would read, and checks its settings; no document is processed. Throws as it does. */
export async function listCorpus(options: CorpusBuildOptions): Promise<CorpusListing> {
  const { listing } = await planBuild(options);
  const sources = new Map<string, { source: string; documents: number; bytes: number }>();
  for (const { source, size } of listing.items) {
    const known = sources.get(source) ?? { source, documents: 0, bytes: 0 };
    sources.set(source, { source, documents: known.documents + 1, bytes: known.bytes + size });
  }
  const all = [...sources.values()].sort((a, b) => b.bytes - a.bytes || a.source.localeCompare(b.source));
  return {
    documents: listing.items.length,
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    ...{ sources: all, skipped: listing.skipped },
  };
}

/** The manifest of the store in `folder` if it has this key and is not damaged. */
async function reusableManifest(folder: string, key: string): Promise<CorpusManifest | undefined> {
  if (!existsSync(join(folder, manifestName))) return undefined;
  try {
    if (readManifest(folder).key !== key) return undefined;
    const store = await openDocumentStore(folder);
    store.close();
    return store.manifest;
  } catch (error) {
    // A damaged store is built again: that is the remedy which its error names.
    if (error instanceof TilthError) return undefined;
    throw error;
  }
}

/** Publishing replaces the folder as a whole, so it must not hold anything else. */
function refuseForeignFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const foreign = readdirSync(folder).find(
    (name) =>
      name !== manifestName && !isDocumentsFile(name) && !companionNames.includes(name) && !name.startsWith("."),
  );
  if (foreign !== undefined) {
    throw new TilthError(`${folder} holds ${foreign}, which is no part of a corpus; nothing was changed`, {
      remedy: "Choose a folder of its own for the corpus.",
    });
  }
}

function storeKey(
  settings: CorpusSettings,
  keys: readonly string[],
  listing: Listing,
  optOuts: OptOuts,
  others: readonly string[],
): string {
  return hashOf(
    "corpus store",
    String(storeVersion),
    packageVersion(),
    canonicalJson(settings),
    canonicalJson(listing.skipped),
    ...keys,
    canonicalJson(others),
    ...optOuts.fingerprint,
    ...listing.items.map(({ licence, url, image, reservation }) => canonicalJson([licence, url, image, reservation])),
  );
}

/** Licences repeat: all files of a package have the same finding. */
function decideAll(items: readonly WorkItem[], settings: CorpusSettings, optOuts: OptOuts): LicenceVerdict[] {
  const known = new Map<WorkItem["licence"], LicenceVerdict>();
  return items.map((item) => {
    let verdict = known.get(item.licence);
    if (verdict === undefined) {
      verdict = decideFinding(item.licence, settings.licences);
      known.set(item.licence, verdict);
    }
    const optOut = optOuts.reasonFor(item);
    return optOut === undefined ? verdict : { ...verdict, optOut };
  });
}

function* watched(
  rows: Iterable<DocumentRow>,
  counts: CorpusCounts,
  total: number,
  { onProgress, signal }: WorkOptions,
): Generator<DocumentRow> {
  for (const row of rows) {
    throwIfInterrupted(signal);
    countRow(counts, row);
    if (counts.documents % 100 === 0 || counts.documents === total) {
      onProgress?.({ stage: "writing", done: counts.documents, total, unit: "documents" });
    }
    yield row;
  }
}
