/** From documents to token ranges, to the steps that consumed them, to the checkpoints after those. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openMegatronShard } from "../formats/index.ts";
import { writeFileAtomically } from "../foundation/index.ts";
import { replayedBefore, sequencesFrom } from "../objectives/index.ts";
import {
  batchSequencesAt,
  type GuardRecord,
  RunLog,
  sequencesBefore,
  type TrainingConfiguration,
  trainingConfiguration,
} from "../training/index.ts";
import { placesOf, readRunDescription, replayShareOf } from "./run-folder.ts";

/** Tokens [start, end) of the shard. */
export interface TokenRange {
  readonly document: string;
  readonly start: number;
  readonly end: number;
}

/** The documents of a shard in their order, with the tokens of each. A document may be there several times. */
export interface DocumentOrder {
  readonly ids: readonly string[];
  readonly lengths: ArrayLike<number>;
  readonly tokens: number;
}

const orderFile = (prefix: string) => join(dirname(prefix), "history", `${basename(prefix)}.txt`);

/** The order of a shard, also of one that a take-down replaced; undefined where nothing tells it. */
export function documentOrder(prefix: string): DocumentOrder | undefined {
  const file = `${prefix}.documents.txt`;
  if (existsSync(file) && existsSync(`${prefix}.idx`)) {
    const shard = openMegatronShard(prefix);
    const { lengths, tokens, documents } = shard;
    shard.close();
    return { ids: readFileSync(file, "utf8").split("\n").slice(0, documents), lengths, tokens };
  }
  if (!existsSync(orderFile(prefix))) return undefined;
  const lines = readFileSync(orderFile(prefix), "utf8").split("\n").slice(0, -1);
  const lengths = lines.map((line) => Number(line.slice(line.indexOf(" ") + 1)));
  return {
    ids: lines.map((line) => line.slice(0, line.indexOf(" "))),
    lengths,
    tokens: lengths.reduce((sum, length) => sum + length, 0),
  };
}

/** Keeps the order of a shard, without its tokens, for when the shard is gone: `history/<shard>.txt`, a line a document. */
export function keepOrder(prefix: string): void {
  const order = documentOrder(prefix);
  if (order === undefined) return;
  const { ids, lengths } = order;
  writeFileAtomically(orderFile(prefix), ids.map((id, index) => `${id} ${lengths[index]}\n`).join(""));
}

/** The ranges of those documents. */
export function rangesOf({ ids, lengths }: DocumentOrder, documents: ReadonlySet<string>): TokenRange[] {
  const ranges: TokenRange[] = [];
  let start = 0;
  for (const [index, document] of ids.entries()) {
    const end = start + lengths[index];
    if (documents.has(document)) ranges.push({ document, start, end });
    start = end;
  }
  return ranges;
}

/** The ranges of those documents in a shard that is there, by its document map. */
export function tokenRanges(prefix: string, documents: ReadonlySet<string>): TokenRange[] {
  const order = documentOrder(prefix);
  return order === undefined ? [] : rangesOf(order, documents);
}

/** What decides which step sees which sequence. */
export interface DataOrder {
  readonly tokens: number;
  readonly sequenceLength: number;
  readonly batchSequences: number;
  readonly batchWarmup?: TrainingConfiguration["batchWarmup"];
  readonly seed: number;
  /** The share of sequences that come from elsewhere. */
  readonly replayShare?: number;
  /** The steps that read the shard, ascending. */
  readonly steps: readonly number[];
  /** Batches that were left out, each with the last step before it. */
  readonly skipped?: readonly { readonly step: number; readonly batch: number }[];
}

/** The steps of a run that read one shard, and how; without `order` where nothing tells the shard's documents any more. */
export interface ShardReading {
  readonly shard: string;
  readonly steps: readonly number[];
  readonly order?: DocumentOrder;
  readonly reading?: DataOrder;
}

/** What the steps of a run read, shard by shard: a take-down in between replaces the shard. */
export function readingsOf(runFolder: string, upToStep = Number.POSITIVE_INFINITY): ShardReading[] {
  const { training, configuration } = readRunDescription(runFolder);
  const replayShare = replayShareOf(configuration);
  const { sequenceLength, batchSequences, batchWarmup, seed } = trainingConfiguration.parse(training);
  const records = new RunLog(runFolder).read();
  const skipped = records.filter(
    (one) => one.kind === "guard" && (one.action === "skip" || one.action === "rewind"),
  ) as GuardRecord[];
  const stepsByShard = new Map<string, number[]>();
  for (const record of records) {
    if (record.kind !== "step" || record.step > upToStep) continue;
    const { shard = "train", step } = record;
    const steps = stepsByShard.get(shard);
    if (steps === undefined) stepsByShard.set(shard, [step]);
    else steps.push(step);
  }
  const { shards } = placesOf(runFolder);
  return [...stepsByShard].map(([shard, steps]) => {
    const order = documentOrder(join(shards, shard));
    if (order === undefined) return { shard, steps };
    const { tokens } = order;
    return {
      shard,
      steps,
      order,
      reading: { tokens, sequenceLength, batchSequences, batchWarmup, seed, replayShare, steps, skipped },
    };
  });
}

/** How often the steps saw a document, each pass over a sequence that holds some of it counted once, and the first that did. */
export interface SeenDocument {
  readonly id: string;
  readonly firstStep: number;
  readonly passes: number;
}

/** How often the steps of a reading saw tokens of a range, and the first that did; undefined where none did. */
export type SeenRange = (range: Pick<TokenRange, "start" | "end">) => Omit<SeenDocument, "id"> | undefined;

/** Walks the steps once; ranges are then looked up. Tokens past the last whole sequence are never seen. */
export function seenRanges(reading: DataOrder): SeenRange {
  const { sequenceLength, seed, steps } = reading;
  const sequences = Math.floor((reading.tokens - 1) / sequenceLength);
  if (sequences < 1) return () => undefined;
  const firstSteps = new Uint32Array(sequences);
  const passes = new Uint32Array(sequences);
  for (const step of steps) {
    for (const sequence of sequencesOf(step, reading, sequences, seed)) {
      if (passes[sequence]++ === 0) firstSteps[sequence] = step;
    }
  }
  return (range) => {
    const [first, last] = sequencesHolding(range, sequenceLength, sequences);
    let [firstStep, most] = [Number.POSITIVE_INFINITY, 0];
    for (let sequence = first; sequence <= last; sequence++) {
      if (passes[sequence] === 0) continue;
      firstStep = Math.min(firstStep, firstSteps[sequence]);
      most = Math.max(most, passes[sequence]);
    }
    return most === 0 ? undefined : { firstStep, passes: most };
  };
}

/** Every document that the steps of a reading saw, in the shard's order. */
export function seenDocuments({ order, reading }: Required<Pick<ShardReading, "order" | "reading">>): SeenDocument[] {
  const seenIn = seenRanges(reading);
  const seen = new Map<string, SeenDocument>();
  let start = 0;
  for (const [index, id] of order.ids.entries()) {
    const end = start + order.lengths[index];
    const here = seenIn({ start, end });
    start = end;
    if (here === undefined) continue;
    const known = seen.get(id);
    seen.set(id, {
      id,
      firstStep: Math.min(here.firstStep, known?.firstStep ?? here.firstStep),
      passes: here.passes + (known?.passes ?? 0),
    });
  }
  return [...seen.values()];
}

/** The steps (from 1) whose batches held a token of the ranges, as input or as the target of a last position. */
export function stepsThatSaw(ranges: readonly TokenRange[], order: DataOrder): number[] {
  const { tokens, sequenceLength, seed, steps } = order;
  const sequences = Math.floor((tokens - 1) / sequenceLength);
  if (sequences < 1) return [];
  const seen = new Set<number>();
  for (const range of ranges) {
    const [first, last] = sequencesHolding(range, sequenceLength, sequences);
    for (let sequence = first; sequence <= last; sequence++) seen.add(sequence);
  }
  return steps.filter((step) => sequencesOf(step, order, sequences, seed).some((one) => seen.has(one)));
}

/** The first and last sequence with a token of the range, as input or as target: a sequence's last target begins the next. */
function sequencesHolding(
  { start, end }: Pick<TokenRange, "start" | "end">,
  sequenceLength: number,
  sequences: number,
): readonly [number, number] {
  return [
    Math.max(0, Math.ceil(start / sequenceLength) - 1),
    Math.min(sequences - 1, Math.floor((end - 1) / sequenceLength)),
  ];
}

function sequencesOf(step: number, order: DataOrder, sequences: number, seed: number): number[] {
  const before = order.skipped?.findLast((one) => one.step < step);
  const batch = step + (before === undefined ? 0 : before.batch - before.step);
  const first = sequencesBefore(batch, order);
  // Replayed sequences come from elsewhere: only the others count in the order of this shard.
  const [from, to] = [first, first + batchSequencesAt(batch, order)].map(
    (position) => position - replayedBefore(position, order.replayShare ?? 0),
  );
  return sequencesFrom(from, to - from, sequences, seed);
}
