/** From documents to token ranges, to the steps that consumed them, to the checkpoints after those. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openMegatronShard } from "../formats/index.ts";
import { writeFileAtomically } from "../foundation/index.ts";
import { sequencesFrom } from "../objectives/index.ts";
import { batchSequencesAt, sequencesBefore, type TrainingConfiguration } from "../training/index.ts";

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
  /** The steps that read the shard, ascending. */
  readonly steps: readonly number[];
  /** Batches that were left out, each with the last step before it. */
  readonly skipped?: readonly { readonly step: number; readonly batch: number }[];
}

/** The steps (from 1) whose batches held a token of the ranges, as input or as the target of a last position. */
export function stepsThatSaw(ranges: readonly TokenRange[], order: DataOrder): number[] {
  const { tokens, sequenceLength, seed, steps, skipped = [] } = order;
  const sequences = Math.floor((tokens - 1) / sequenceLength);
  if (sequences < 1) return [];
  const seen = new Set<number>();
  for (const { start, end } of ranges) {
    const first = Math.max(0, Math.ceil(start / sequenceLength) - 1);
    const last = Math.floor((end - 1) / sequenceLength);
    for (let sequence = first; sequence <= last; sequence++) seen.add(sequence);
  }
  return steps.filter((step) => {
    const before = skipped.findLast((one) => one.step < step);
    const batch = step + (before === undefined ? 0 : before.batch - before.step);
    const batchOrder = sequencesFrom(sequencesBefore(batch, order), batchSequencesAt(batch, order), sequences, seed);
    return batchOrder.some((one) => seen.has(one));
  });
}
