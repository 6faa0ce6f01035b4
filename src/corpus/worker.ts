/** Entry point of a worker thread of the corpus build: one partition a call. */
import { type TransferredError, transferable } from "../foundation/index.ts";
import { type PartitionResult, type PartitionTask, runPartition } from "./partition.ts";

/** What a worker answers: errors are values, since a thread boundary would strip them of their class. */
export type PartitionAnswer = { readonly result: PartitionResult } | { readonly error: TransferredError };

export default function work(task: PartitionTask): PartitionAnswer {
  try {
    return { result: runPartition(task) };
  } catch (error) {
    return { error: transferable(error) };
  }
}
