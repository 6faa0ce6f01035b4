/** Partitions: how a list of documents is cut, and what a worker does with one piece. */
import { createHash } from "node:crypto";
import { canonicalJson, hashOf, packageVersion, pluginsKey } from "../foundation/index.ts";
import { type PackedDigests, packDigests } from "./digests.ts";
import type { Rejection } from "./document.ts";
import { readCachedRows, writeCachedRows } from "./partition-cache.ts";
import { contentKey, type PartialRow, type PartitionSettings, processPartition, readDocument } from "./process.ts";
import type { WorkItem } from "./readers/index.ts";
import { useTextKernels } from "./text/index.ts";

/** Raised whenever the same documents and settings give other rows. */
const stageVersion = 6;

const maximumItems = 200;
const maximumBytes = 2_000_000;

/** One piece of work; it travels to a worker thread. */
export interface PartitionTask {
  readonly items: readonly WorkItem[];
  readonly settings: PartitionSettings;
  readonly cacheFolder: string;
  /** The native text kernels; the reference works where they are undefined, with equal results. */
  readonly textLibrary: string | undefined;
  /** Files that register filters, which a worker loads before its first task. */
  readonly plugins?: readonly string[];
  readonly abandoned?: readonly AbandonedDocument[];
  /** Where the worker tells at which document it is: index plus one; 0 between partitions. */
  readonly current?: Int32Array;
}

/** A document that is not to be tried again, and why. */
export interface AbandonedDocument {
  /** Its index in the partition. */
  readonly index: number;
  readonly rejection: Rejection;
}

/** A partition's outcome: where its rows are, and their digests. */
export interface PartitionResult {
  readonly key: string;
  readonly digests: PackedDigests;
}

/**
 * Cuts the items, in order, into pieces of at most 200 documents or about 2 MB. About every fiftieth path ends its
 * piece, whatever came before: after an added file the cuts fall in their old places again, and the cache still helps.
 */
export function partition(items: readonly WorkItem[]): WorkItem[][] {
  const pieces: WorkItem[][] = [];
  let current: WorkItem[] = [];
  let bytes = 0;
  for (const item of items) {
    if (current.length > 0 && (current.length >= maximumItems || bytes + item.size > maximumBytes)) {
      pieces.push(current);
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += item.size;
    if (endsPiece(item)) {
      pieces.push(current);
      current = [];
      bytes = 0;
    }
  }
  if (current.length > 0) pieces.push(current);
  return pieces;
}

function endsPiece({ source, path }: WorkItem): boolean {
  return createHash("sha256").update(`${source}\n${path}`).digest()[0] < 5;
}

/** Processes a partition, or finds its rows in the cache. */
export function runPartition(task: PartitionTask): PartitionResult {
  const { key, rows } = partitionRows(task);
  return { key, digests: packDigests(rows) };
}

/** A partition's key and rows; what is not in the cache is computed and put there. */
export function partitionRows(task: PartitionTask): { key: string; rows: PartialRow[] } {
  const { items, settings, cacheFolder } = task;
  useTextKernels(task.textLibrary);
  const contents = items.map((item) => readDocument(item, settings.maximumFileBytes));
  const key = hashOf(
    "corpus partition",
    String(stageVersion),
    packageVersion(),
    ...pluginsKey(),
    canonicalJson(settings),
    contentKey(items, contents),
  );
  let rows = readCachedRows(cacheFolder, key, items.length);
  if (rows === undefined) {
    const { current, abandoned = [] } = task;
    rows = processPartition(items, contents, settings, {
      onDocument: (index) => current !== undefined && Atomics.store(current, 0, index + 1),
      abandoned: new Map(abandoned.map(({ index, rejection }) => [index, rejection])),
    });
    if (current !== undefined) Atomics.store(current, 0, 0);
    writeCachedRows(cacheFolder, key, rows);
  }
  return { key, rows };
}
