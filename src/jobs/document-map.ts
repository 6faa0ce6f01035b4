/** From documents to token ranges, to the steps that consumed them, to the checkpoints after those. */
import { existsSync, readFileSync } from "node:fs";
import { openMegatronShard } from "../formats/index.ts";
import { sequencesFrom } from "../objectives/index.ts";
import { batchSequencesAt, sequencesBefore, type TrainingConfiguration } from "../training/index.ts";

/** Tokens [start, end) of the shard. */
export interface TokenRange {
  readonly document: string;
  readonly start: number;
  readonly end: number;
}

/** The ranges of those documents in a shard, by its document map. */
export function tokenRanges(prefix: string, documents: ReadonlySet<string>): TokenRange[] {
  const file = `${prefix}.documents.txt`;
  if (!existsSync(file)) return [];
  const ids = readFileSync(file, "utf8").split("\n");
  const shard = openMegatronShard(prefix);
  const ranges: TokenRange[] = [];
  let start = 0;
  for (const [index, length] of shard.lengths.entries()) {
    if (documents.has(ids[index])) ranges.push({ document: ids[index], start, end: start + length });
    start += length;
  }
  shard.close();
  return ranges;
}

/** What decides which step sees which sequence. */
export interface DataOrder {
  readonly tokens: number;
  readonly sequenceLength: number;
  readonly batchSequences: number;
  readonly batchWarmup?: TrainingConfiguration["batchWarmup"];
  readonly seed: number;
  /** Steps taken so far. */
  readonly steps: number;
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
  const found: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const before = skipped.findLast((one) => one.step < step);
    const batch = step + (before === undefined ? 0 : before.batch - before.step);
    const batchOrder = sequencesFrom(sequencesBefore(batch, order), batchSequencesAt(batch, order), sequences, seed);
    if (batchOrder.some((one) => seen.has(one))) found.push(step);
  }
  return found;
}
