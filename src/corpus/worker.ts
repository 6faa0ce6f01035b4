/** Entry point of a worker thread of the corpus build: one partition a call. */
import { loadPlugins, type TransferredError, transferable } from "../foundation/index.ts";
import { type PartitionResult, type PartitionTask, runPartition } from "./partition.ts";

/** What a worker answers: errors are values, since a thread boundary would strip them of their class. */
export type PartitionAnswer = { readonly result: PartitionResult } | { readonly error: TransferredError };

export default async function work(task: PartitionTask): Promise<PartitionAnswer> {
  try {
    await loadPlugins(task.plugins ?? []);
    return { result: runPartition(task) };
  } catch (error) {
    return { error: transferable(error) };
  }
}
