/** Starts a job in a worker thread and brings its events, its result and its errors back. */
import { type MessagePort, Worker } from "node:worker_threads";
import { pluginPaths, revived, TilthError, type TransferredError, workerFile } from "../foundation/index.ts";
import type { Job } from "./job.ts";

/** What the worker sends. */
export type WorkerMessage =
  | { readonly kind: "event"; readonly event: unknown }
  | { readonly kind: "result"; readonly output: unknown }
  | { readonly kind: "error"; readonly error: TransferredError };

/** What the worker is started with. `stop[0]` becomes 1 when the job should end. */
export interface WorkerInput {
  readonly job: string;
  readonly input: unknown;
  readonly stop: Int32Array;
  /** Files that register objectives and tasks. */
  readonly plugins: readonly string[];
}

/**
 * Runs a job of the registry in a worker thread. Aborting `signal` asks it to stop at the next safe point; the promise
 * then rejects with whatever the job throws, usually InterruptedError. `ports` are those in `input`: they move to the worker.
 */
export function runJob<Input, Event, Output>(
  job: Job<Input, Event, Output>,
  input: Input,
  options: { onEvent?: (event: Event) => void; signal?: AbortSignal; ports?: readonly MessagePort[] } = {},
): Promise<Output> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WorkerInput = { job: job.name, input, stop, plugins: pluginPaths() };
  const worker = new Worker(workerFile("job-worker"), { workerData, transferList: [...(options.ports ?? [])] });
  const onAbort = () => Atomics.store(stop, 0, 1);
  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  return new Promise<Output>((resolve, reject) => {
    worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "event") options.onEvent?.(message.event as Event);
      else if (message.kind === "result") resolve(message.output as Output);
      else reject(revived(message.error));
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new TilthError(`the worker for "${job.name}" ended with code ${code}`)));
  }).finally(() => {
    options.signal?.removeEventListener("abort", onAbort);
    void worker.terminate();
  });
}
