/** Take-down of documents from a run: store and shards are rewritten, what saw them is listed, that nothing is left is shown. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type DocumentStore,
  type NamedDocument,
  openDocumentStore,
  readTombstones,
  removeOldRows,
  rewriteStore,
  type Selection,
  SpanSet,
  selectDocuments,
  type TakedownRequest,
  textTokens,
  writeTombstones,
} from "../corpus/index.ts";
import { createMegatronWriter, openMegatronShard } from "../formats/index.ts";
import { hashOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import { keepOrder, rangesOf, readingsOf, stepsThatSaw, type TokenRange, tokenRanges } from "./document-map.ts";
import { recordTakedown } from "./record-lineage.ts";
import { placesOf } from "./run-folder.ts";
import { shardPrefix } from "./tokenize.ts";

const splits = ["train", "validation"] as const;

/** Where things are: a run's folder, or a store alone. */
export interface TakedownPlaces {
  readonly store: string;
  /** The run whose shards and checkpoints are concerned, if there is one. */
  readonly runFolder?: string;
}

export interface TakedownResult {
  readonly documents: readonly (NamedDocument & { readonly because: string })[];
  /** Kept documents that hold 50 tokens or more of these and stay. */
  readonly quotedBy: readonly NamedDocument[];
  /** Token ranges in the shards as they were. */
  readonly ranges: Readonly<Record<string, readonly TokenRange[]>>;
  readonly steps: readonly number[];
  /** Checkpoints at or after the first of those steps. */
  readonly checkpoints: readonly string[];
  readonly proof: {
    /** Different windows of 50 tokens of the documents that were asked for, and of their copies. */
    readonly spans: number;
    /** Of them left in the store, outside the documents that quote them. */
    readonly leftInStore: number;
    readonly leftInShards: number;
  };
}

/** Called before each stage; a test throws there, as a crash would. */
export type StageListener = (stage: string) => void;

/**
 * Takes documents down. Each of store and shards changes at one instant; the tombstones come first, so that whatever
 * interrupts it, the next call (or `finishTakedowns`) completes it.
 */
export async function takeDown(
  places: TakedownPlaces,
  request: TakedownRequest,
  onStage: StageListener = () => {},
): Promise<TakedownResult> {
  await finishTakedowns(places, onStage);
  const store = await openDocumentStore(places.store);
  // Of what was asked for and its copies: of documents that only quote them, the rest may stand elsewhere.
  const spans = new SpanSet();
  const tokenSpans = new SpanSet();
  let selection: Selection;
  try {
    selection = await selectDocuments(store, request);
    const asked = idsOf(selection.documents.filter(({ because }) => because !== "quotes"));
    for await (const { id, text } of store.documents()) if (asked.has(id)) spans.add(textTokens(text));
    addShardSpans(places, asked, tokenSpans);
    selection = await withQuotesInShards(selection, spansInShards(places, tokenSpans).keys(), store, request.quotes);
  } finally {
    store.close();
  }
  const ids = idsOf(selection.documents);
  const ranges = Object.fromEntries(shardsOf(places).map(({ split, prefix }) => [split, tokenRanges(prefix, ids)]));
  const steps = stepsOf(places, ids);
  const time = new Date().toISOString();
  onStage("tombstones");
  writeTombstones(places.store, [
    ...readTombstones(places.store).filter(({ id }) => !ids.has(id)),
    ...selection.documents.map((one) => ({ ...one, reason: request.reason, time, done: false })),
  ]);
  await finishTakedowns(places, onStage);
  const quoting = idsOf(selection.quotedBy);
  return {
    documents: selection.documents,
    quotedBy: selection.quotedBy,
    ranges,
    steps,
    checkpoints: steps.length === 0 ? [] : checkpointsFrom(places, steps[0]),
    proof: {
      spans: spans.size,
      leftInStore: await leftInStore(places.store, spans, quoting),
      leftInShards: [...spansInShards(places, tokenSpans)].reduce((sum, [id, n]) => sum + (quoting.has(id) ? 0 : n), 0),
    },
  };
}

/** Completes take-downs that were begun: shards, store, caches; each step may be repeated. */
export async function finishTakedowns(places: TakedownPlaces, onStage: StageListener = () => {}): Promise<void> {
  const tombstones = readTombstones(places.store);
  if (tombstones.every(({ done }) => done)) return;
  const ids = new Set(tombstones.map(({ id }) => id));
  onStage("shards");
  rewriteShards(places, ids, onStage);
  onStage("store");
  await rewriteStore(places.store);
  onStage("leftovers");
  removeOldRows(places.store);
  removeOldShards(places);
  // The cache holds texts of partitions; what is needed again is computed again.
  for (const name of readdirSync(dirname(places.store))) {
    if (name === "corpus-cache") rmSync(join(dirname(places.store), name), { recursive: true, force: true });
  }
  onStage("records");
  await recordTakedown(
    { store: places.store, shards: places.runFolder && placesOf(places.runFolder).shards },
    tombstones.length,
  );
  onStage("done");
  writeTombstones(
    places.store,
    tombstones.map((one) => ({ ...one, done: true })),
  );
}

function shardsOf({ runFolder }: TakedownPlaces): { split: (typeof splits)[number]; prefix: string }[] {
  if (runFolder === undefined) return [];
  const { shards } = placesOf(runFolder);
  return splits
    .map((split) => ({ split, prefix: shardPrefix(shards, split) }))
    .filter(({ prefix }) => existsSync(`${prefix}.idx`));
}

/** Writes shards without those documents beside the old ones; `shards.json` then names them at one instant. */
function rewriteShards(places: TakedownPlaces, ids: ReadonlySet<string>, onStage: StageListener): void {
  const shards = shardsOf(places);
  if (!shards.some(({ prefix }) => tokenRanges(prefix, ids).length > 0)) return;
  const folder = placesOf(places.runFolder!).shards;
  const manifestFile = join(folder, "shards.json");
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as Record<string, unknown> & {
    vocabularySize: number;
  };
  const mark = hashOf(...[...ids].sort()).slice(0, 12);
  const tokens: Record<string, number> = {};
  for (const { split, prefix } of shards) {
    if (split === "train") keepOrder(prefix);
    const old = openMegatronShard(prefix);
    const names = readFileSync(`${prefix}.documents.txt`, "utf8").split("\n").slice(0, old.documents);
    const target = join(folder, `${split}-${mark}`);
    const writer = createMegatronWriter(target, manifest.vocabularySize);
    let start = 0;
    tokens[split] = 0;
    for (const [index, length] of old.lengths.entries()) {
      if (!ids.has(names[index])) {
        writer.add(old.readRange(start, length));
        tokens[split] += length;
      }
      start += length;
    }
    old.close();
    writer.finish();
    const kept = names.filter((name) => !ids.has(name));
    writeFileAtomically(`${target}.documents.txt`, kept.map((name) => `${name}\n`).join(""));
    onStage(`shard ${split}`);
  }
  const next = {
    ...manifest,
    tokens: tokens.train ?? manifest.tokens,
    validationTokens: tokens.validation ?? manifest.validationTokens,
    files: { train: `train-${mark}`, validation: `validation-${mark}` },
  };
  writeFileAtomically(manifestFile, `${JSON.stringify(next, null, 2)}\n`);
}

function removeOldShards(places: TakedownPlaces): void {
  const current = new Set(shardsOf(places).map(({ prefix }) => basename(prefix)));
  if (places.runFolder === undefined || current.size === 0) return;
  const { shards } = placesOf(places.runFolder);
  for (const name of readdirSync(shards)) {
    const prefix = /^((?:train|validation)(?:-[0-9a-f]{12})?)\.(?:bin|idx|checksums\.json|documents\.txt)$/.exec(
      name,
    )?.[1];
    if (prefix !== undefined && !current.has(prefix)) rmSync(join(shards, name));
  }
}

/** The steps that saw a document, each by the order of the shard that it read: take-downs before this one changed it. */
function stepsOf({ runFolder }: TakedownPlaces, documents: ReadonlySet<string>): number[] {
  if (runFolder === undefined || !existsSync(placesOf(runFolder).description)) return [];
  const found = readingsOf(runFolder).flatMap(({ order, reading, steps }) =>
    // An order that is not known any more: none of its steps can be cleared.
    order === undefined ? steps : stepsThatSaw(rangesOf(order, documents), reading!),
  );
  return found.sort((a, b) => a - b);
}

function checkpointsFrom({ runFolder }: TakedownPlaces, step: number): string[] {
  const folder = placesOf(runFolder!).checkpoints;
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^step-\d+$/.test(name) && Number(name.slice(5)) >= step)
    .sort()
    .map((name) => join(folder, name));
}

async function leftInStore(folder: string, spans: SpanSet, quoting: ReadonlySet<string>): Promise<number> {
  const store = await openDocumentStore(folder);
  try {
    let left = 0;
    for await (const { id, text } of store.documents()) if (!quoting.has(id)) left += spans.countIn(textTokens(text));
    return left;
  } finally {
    store.close();
  }
}

/** Adds every window of those documents' tokens in the shards. */
function addShardSpans(places: TakedownPlaces, ids: ReadonlySet<string>, spans: SpanSet): void {
  for (const { prefix } of shardsOf(places)) {
    const shard = openMegatronShard(prefix);
    for (const { start, end } of tokenRanges(prefix, ids)) spans.add(shard.readRange(start, end - start - 1));
    shard.close();
  }
}

/** The documents in the shards that hold any of the spans, with how many. */
function spansInShards(places: TakedownPlaces, spans: SpanSet): Map<string, number> {
  const found = new Map<string, number>();
  for (const { prefix } of shardsOf(places)) {
    const shard = openMegatronShard(prefix);
    const names = readFileSync(`${prefix}.documents.txt`, "utf8").split("\n");
    if (names.length - 1 !== shard.documents) {
      throw new TilthError(
        `${prefix}.documents.txt names ${names.length - 1} documents, the shard has ${shard.documents}`,
      );
    }
    for (let index = 0; index < shard.documents; index++) {
      const count = spans.countIn(shard.read(index).subarray(0, -1));
      if (count > 0) found.set(names[index], (found.get(names[index]) ?? 0) + count);
    }
    shard.close();
  }
  return found;
}

/** Documents that share 50 tokens of the tokenizer quote too, though it may be fewer than 50 words and marks. */
async function withQuotesInShards(
  { documents, quotedBy }: Selection,
  holders: Iterable<string>,
  store: DocumentStore,
  quotes: boolean,
): Promise<Selection> {
  const known = idsOf([...documents, ...quotedBy]);
  const found: NamedDocument[] = [];
  for (const holder of holders) {
    if (known.has(holder)) continue;
    const { id, source, path, url } = await store.row(holder);
    found.push({ id, source, path, url });
  }
  return quotes
    ? { documents: [...documents, ...found.map((one) => ({ ...one, because: "quotes" as const }))], quotedBy }
    : { documents, quotedBy: [...quotedBy, ...found] };
}

function idsOf(documents: readonly { readonly id: string }[]): Set<string> {
  return new Set(documents.map(({ id }) => id));
}
