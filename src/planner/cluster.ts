/** A run on several nodes, from figures measured on one: data parallel as `docs/cluster.md` describes it, rings for sums. */

/** What one rank takes alone on a node, measured. */
export interface RankFigures {
  readonly parameters: number;
  readonly threads: number;
  readonly sequenceLength: number;
  readonly batchSequences: number;
  readonly microBatchSequences: number;
  /** Forward and backward pass of one micro-batch. */
  readonly microBatchSeconds: number;
  /** Norm, clipping and optimizer step. */
  readonly updateSeconds: number;
  /** Resident memory of the process at most, and what of it the optimizer's state is. */
  readonly memoryBytes: number;
  readonly optimizerBytes: number;
  readonly checkpointBytes: number;
  /** The copy that the step waits for, and the writing beside the next steps. */
  readonly checkpointPauseSeconds: number;
  readonly checkpointWriteSeconds: number;
}

/** What connects ranks: of each node, in each direction. */
export interface Network {
  readonly bandwidthBytesPerSecond: number;
  readonly latencySeconds: number;
}

/** How many ranks, and how they work together. */
export interface ClusterLayout {
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly coresPerNode: number;
  readonly network: Network;
  readonly reduction: "f32" | "bf16";
  readonly bucketBytes: number;
  readonly shardOptimizerState: boolean;
  /** Sums go on during the backward pass; not with activation checkpointing. */
  readonly overlaps: boolean;
  /** Steps between checkpoints. */
  readonly checkpointEvery: number;
}

/** A step as it will be. Seconds are of one step unless named otherwise. */
export interface ClusterForecast {
  readonly ranks: number;
  readonly nodes: number;
  readonly stepSeconds: number;
  readonly tokensPerSecond: number;
  /** Seconds of one rank alone, divided by ranks times these. */
  readonly efficiency: number;
  readonly computeSeconds: number;
  /** All of the communication, and what of it no computation hides. */
  readonly communicationSeconds: number;
  readonly exposedSeconds: number;
  readonly exposedShare: number;
  readonly memoryBytes: number;
  /** The first rank keeps a copy of the whole state while it is written. */
  readonly firstRankMemoryBytes: number;
  /** Of all training time, at one checkpoint every `checkpointEvery` steps. */
  readonly checkpointShare: number;
  /** Threads for each core where there are more threads than cores, else 1. */
  readonly threadsPerCore: number;
}

/** The backward pass takes two thirds of a pass. */
const backwardShare = 2 / 3;

/** Whether that many ranks share every step evenly. */
export function canShare({ batchSequences, microBatchSequences }: RankFigures, ranks: number): boolean {
  return (batchSequences / microBatchSequences) % ranks === 0;
}

/** Forecasts a step on a cluster whose ranks share the batch evenly. */
export function forecastCluster(rank: RankFigures, layout: ClusterLayout): ClusterForecast {
  const ranks = layout.nodes * layout.ranksPerNode;
  const { parameters, batchSequences, microBatchSequences, microBatchSeconds, updateSeconds } = rank;
  const microBatches = batchSequences / microBatchSequences;
  const threadsPerCore = Math.max(1, (layout.ranksPerNode * rank.threads) / layout.coresPerNode);
  const owned = layout.shardOptimizerState ? 1 / ranks : 1;
  const compute = threadsPerCore * ((microBatches / ranks) * microBatchSeconds + owned * updateSeconds);
  const { sum, lastBucket, broadcast } = communication(parameters, ranks, layout);
  // Ranks that take turns on a core have no time in which another one's sums could go on.
  const hidden = layout.overlaps && threadsPerCore === 1 ? backwardShare * microBatchSeconds : 0;
  const exposed = ranks === 1 ? 0 : Math.max(lastBucket, sum - hidden) + broadcast;
  const step = compute + exposed;
  const alone = microBatches * microBatchSeconds + updateSeconds;
  const memoryBytes = rank.memoryBytes - (1 - owned) * rank.optimizerBytes;
  return {
    ...{ ranks, nodes: layout.nodes, stepSeconds: step, efficiency: alone / (ranks * step), threadsPerCore },
    tokensPerSecond: (batchSequences * rank.sequenceLength) / step,
    ...{ computeSeconds: compute, communicationSeconds: sum + broadcast, exposedSeconds: exposed },
    exposedShare: exposed / step,
    ...{ memoryBytes, firstRankMemoryBytes: memoryBytes + rank.checkpointBytes },
    // While one is written the next may not begin: the steps wait where they are quicker than the disk.
    checkpointShare: checkpointShareOf(rank, step, layout.checkpointEvery),
  };
}

function checkpointShareOf(rank: RankFigures, step: number, every: number): number {
  const between = every * step;
  const waited = Math.max(0, rank.checkpointWriteSeconds - between);
  const lost = rank.checkpointPauseSeconds + waited;
  return lost / (between + lost);
}

/**
 * A ring sums n bytes over R ranks in 2 (R − 1) messages of n / R bytes one after the other; each bucket is one. With a shared
 * optimizer state every rank then sends its part of the weights to all.
 */
function communication(
  parameters: number,
  ranks: number,
  { network, reduction, bucketBytes, shardOptimizerState }: ClusterLayout,
) {
  const { bandwidthBytesPerSecond: bandwidth, latencySeconds: latency } = network;
  const messages = 2 * (ranks - 1);
  // A bucket's size is that of the gradients, whatever they are rounded to on their way.
  const buckets = Math.ceil((4 * parameters) / bucketBytes);
  const bytes = parameters * (reduction === "bf16" ? 2 : 4);
  const lastBucket = messages * (bytes / buckets / ranks / bandwidth + latency);
  const broadcast = shardOptimizerState && ranks > 1 ? (4 * parameters) / bandwidth + ranks * latency : 0;
  return { sum: buckets * lastBucket, lastBucket, broadcast };
}
