/** Runs partitions in worker threads, or here; a build that is stopped finds its finished partitions in the cache. */
import { Piscina } from "piscina";
import { InterruptedError, revived } from "../foundation/errors.ts";
import type { WorkOptions } from "../foundation/progress.ts";
import { workerFile } from "../foundation/workers.ts";
import { type PartitionResult, type PartitionTask, runPartition } from "./partition.ts";
import type { PartitionAnswer } from "./worker.ts";

/** The results of all tasks, in their order. `workers: 0` works in this thread. */
export async function runPartitions(
  tasks: readonly PartitionTask[],
  workers: number,
  { onProgress, signal }: WorkOptions,
): Promise<PartitionResult[]> {
  const results = new Array<PartitionResult>(tasks.length);
  const total = tasks.reduce((sum, { items }) => sum + items.length, 0);
  let done = 0;
  let next = 0;
  onProgress?.({ stage: "reading", done, total, unit: "documents" });
  const consume = async (run: (task: PartitionTask) => Promise<PartitionResult>) => {
    while (next < tasks.length) {
      throwIfInterrupted(signal);
      const index = next++;
      results[index] = await run(tasks[index]);
      done += tasks[index].items.length;
      onProgress?.({ stage: "reading", done, total, unit: "documents" });
    }
    throwIfInterrupted(signal);
  };
  const threads = Math.min(workers, tasks.length);
  if (threads === 0) {
    await consume(async (task) => {
      await new Promise((resolve) => setImmediate(resolve));
      return runPartition(task);
    });
    return results;
  }
  const pool = new Piscina({ filename: workerFile("corpus-worker"), minThreads: threads, maxThreads: threads });
  try {
    // Two tasks a thread: the next one is there when the first is done.
    await Promise.all(
      Array.from({ length: threads * 2 }, () =>
        consume(async (task) => {
          const answer: PartitionAnswer = await pool.run(task, { signal });
          if ("error" in answer) throw revived(answer.error);
          return answer.result;
        }),
      ),
    );
    return results;
  } catch (error) {
    // The other consumers stop at their next task.
    next = tasks.length;
    throwIfInterrupted(signal);
    throw error;
  } finally {
    await pool.destroy();
  }
}

/** Throws InterruptedError once the signal is aborted. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new InterruptedError("the corpus build was stopped; what was read so far is in its cache", {
    remedy: "Run the same command again to go on.",
  });
}
