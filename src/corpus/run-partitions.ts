/**
 * Runs partitions in worker threads, or here. A build that is stopped finds its finished partitions in the cache; a
 * document that hangs or kills its worker is recorded and given up, and the others of its partition go on.
 */
import { Piscina } from "piscina";
import { codeOf, InterruptedError, messageOf, revived, type WorkOptions, workerFile } from "../foundation/index.ts";
import type { Rejection } from "./document.ts";
import { type AbandonedDocument, type PartitionResult, type PartitionTask, runPartition } from "./partition.ts";
import type { PartitionAnswer } from "./worker.ts";

/** How partitions are run. */
export interface PartitionRun extends WorkOptions {
  /** Worker threads; 0 works in this thread, where nothing can stop a document that hangs. */
  readonly workers: number;
  /** A document that takes longer is given up. */
  readonly maximumDocumentSeconds: number;
}

/** Results wait for those before them; so many may be ahead of the slowest. */
const maximumAhead = 64;

/**
 * What a worker's objects may take: the language identifier's tables and caches, and a document some hundred times over, as
 * a page's elements need. A lower bound also makes the collector come sooner: left to itself it lets a heap grow fourfold.
 */
function heapMegabytes(maximumFileBytes: number): number {
  return Math.ceil(256 + (64 * maximumFileBytes) / 1e6);
}

/** Runs all tasks and hands their results to `take` in the tasks' order. */
export async function runPartitions(
  tasks: readonly PartitionTask[],
  run: PartitionRun,
  take: (result: PartitionResult, task: PartitionTask) => void,
): Promise<void> {
  const { signal } = run;
  const waiting = new Map<number, PartitionResult>();
  const progress = new RunProgress(tasks, run);
  let next = 0;
  let taken = 0;
  let wake = () => {};
  let advanced = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const consume = async (work: (task: PartitionTask) => Promise<PartitionResult>) => {
    while (next < tasks.length) {
      throwIfInterrupted(signal);
      const index = next++;
      while (index - taken > maximumAhead) await advanced;
      waiting.set(index, await work(tasks[index]));
      progress.add(tasks[index]);
      for (let result = waiting.get(taken); result !== undefined; result = waiting.get(taken)) {
        waiting.delete(taken);
        take(result, tasks[taken++]);
        wake();
        advanced = new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    throwIfInterrupted(signal);
  };
  const threads = Math.min(run.workers, tasks.length);
  if (threads === 0) {
    await consume(async (task) => {
      await new Promise((resolve) => setImmediate(resolve));
      return runPartition(task);
    });
    return;
  }
  const pool = new Piscina({
    filename: workerFile("corpus-worker"),
    minThreads: threads,
    maxThreads: threads,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes(tasks[0].settings.maximumFileBytes) },
  });
  try {
    // Two tasks a thread: the next one is there when the first is done.
    await Promise.all(Array.from({ length: threads * 2 }, () => consume((task) => runGuarded(pool, task, run))));
  } catch (error) {
    // The other consumers stop at their next task.
    next = tasks.length;
    taken = tasks.length;
    wake();
    throwIfInterrupted(signal);
    throw error;
  } finally {
    await pool.destroy();
  }
}

/** Runs a task in the pool. A document at which it hangs or its worker dies is abandoned, and the task runs again. */
async function runGuarded(
  pool: Piscina,
  task: PartitionTask,
  { signal, maximumDocumentSeconds }: PartitionRun,
): Promise<PartitionResult> {
  const abandoned: AbandonedDocument[] = [];
  for (;;) {
    const watch = new Watch(maximumDocumentSeconds, signal);
    try {
      const answer: PartitionAnswer = await pool.run(
        { ...task, abandoned, current: watch.current },
        { signal: watch.signal },
      );
      if ("error" in answer) throw revived(answer.error);
      return answer.result;
    } catch (error) {
      throwIfInterrupted(signal);
      const rejection = watch.timedOut
        ? failure("document.seconds", maximumDocumentSeconds, `at most ${maximumDocumentSeconds} seconds of work`)
        : failureOfWorker(error);
      const index = watch.document();
      if (rejection === undefined || index === undefined) throw error;
      abandoned.push({ index, rejection });
    } finally {
      watch.end();
    }
  }
}

function failure(rule: string, value: number | string, expected: string): Rejection {
  return { stage: "failed", rule, value, expected };
}

/** What a worker that ended by itself says of the document it was at; undefined for an error that it reported. */
function failureOfWorker(error: unknown): Rejection | undefined {
  const code = codeOf(error);
  return code?.startsWith("ERR_WORKER_") || /worker/i.test(messageOf(error))
    ? failure("document.worker", code ?? messageOf(error), "a worker that survives the document")
    : undefined;
}

/** Looks from outside at the document that a worker is at, and aborts its task when that stays the same for too long. */
class Watch {
  /** Index of the document in its partition plus one, written by the worker; 0 before the first. */
  readonly current = new Int32Array(new SharedArrayBuffer(4));
  timedOut = false;
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly stop = () => this.controller.abort();
  private seen = 0;
  private since = performance.now();

  constructor(
    maximumSeconds: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    outer?.addEventListener("abort", this.stop);
    this.timer = setInterval(
      () => {
        const now = Atomics.load(this.current, 0);
        if (now !== this.seen) {
          this.seen = now;
          this.since = performance.now();
        } else if (now > 0 && performance.now() - this.since > maximumSeconds * 1000) {
          this.timedOut = true;
          this.stop();
        }
      },
      Math.min(500, maximumSeconds * 250),
    );
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  document(): number | undefined {
    const now = Atomics.load(this.current, 0);
    return now > 0 ? now - 1 : undefined;
  }

  end(): void {
    clearInterval(this.timer);
    this.outer?.removeEventListener("abort", this.stop);
  }
}

/** Tells how far a run is, in documents, with its rate in bytes. */
class RunProgress {
  private done = 0;
  private bytes = 0;
  private readonly total: number;
  private readonly started = performance.now();

  constructor(
    tasks: readonly PartitionTask[],
    private readonly options: WorkOptions,
  ) {
    this.total = tasks.reduce((sum, { items }) => sum + items.length, 0);
    options.onProgress?.({ stage: "reading", done: 0, total: this.total, unit: "documents" });
  }

  add({ items }: PartitionTask): void {
    this.done += items.length;
    this.bytes += items.reduce((sum, { size }) => sum + size, 0);
    const megabytesPerSecond = this.bytes / 1e3 / Math.max(1, performance.now() - this.started);
    this.options.onProgress?.({
      stage: "reading",
      done: this.done,
      total: this.total,
      unit: "documents",
      detail: `${megabytesPerSecond.toPrecision(3)} MB/s`,
    });
  }
}

/** Throws InterruptedError once the signal is aborted. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new InterruptedError("the corpus build was stopped; what was read so far is in its cache", {
    remedy: "Run the same command again to go on.",
  });
}
