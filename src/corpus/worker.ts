/** Entry point of a worker thread of the corpus build: one partition a call. */
import { type PartitionResult, type PartitionTask, runPartition } from "./partition.ts";

export default function work(task: PartitionTask): PartitionResult {
  return runPartition(task);
}
