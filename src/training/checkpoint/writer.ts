/** Checkpoints written by a thread of their own while steps go on; never two at once. */
import { Worker } from "node:worker_threads";
import { revived, TilthError, type TransferredError, workerFile } from "../../foundation/index.ts";
import type { Snapshot } from "./snapshot.ts";

/** What the thread answers to a snapshot. */
export type WriterReply = { readonly path: string; readonly seconds: number } | { readonly error: TransferredError };

/** How a checkpoint ended: its path, or why it could not be written. */
export type Written =
  | { readonly step: number; readonly path: string; readonly seconds: number }
  | { readonly step: number; readonly error: Error };

/** The writer of one run. */
export class CheckpointWriter {
  private worker: Worker | undefined;
  private inFlight: Promise<Written> | undefined;
  private finished: Written | undefined;

  /** Starts to write; the one before must have been collected. */
  begin(snapshot: Snapshot): void {
    if (this.inFlight !== undefined) throw new Error("a checkpoint is being written already");
    const { step } = snapshot.state;
    const worker = this.worker ?? this.start();
    this.inFlight = new Promise<Written>((resolve) => {
      const settle = (written: Written) => {
        worker.off("message", onMessage);
        worker.off("exit", onExit);
        // Idle, it keeps no process alive.
        worker.unref();
        this.finished = written;
        resolve(written);
      };
      const onMessage = (reply: WriterReply) =>
        settle("error" in reply ? { step, error: revived(reply.error) } : { step, ...reply });
      const onExit = () => {
        this.worker = undefined;
        settle({ step, error: new TilthError(`the writer of checkpoints ended while it wrote step ${step}`) });
      };
      worker.on("message", onMessage);
      worker.on("exit", onExit);
    });
    worker.ref();
    worker.postMessage(snapshot);
  }

  /** How the checkpoint in flight ended, if it has; each one is told once. Lets the thread's message in first. */
  async collect(): Promise<Written | undefined> {
    if (this.inFlight === undefined) return undefined;
    await new Promise((resume) => setImmediate(resume));
    if (this.finished === undefined) return undefined;
    const written = this.finished;
    this.finished = this.inFlight = undefined;
    return written;
  }

  /** As `collect`, and waits for it. */
  async finish(): Promise<Written | undefined> {
    await this.inFlight;
    return this.collect();
  }

  async dispose(): Promise<void> {
    await this.inFlight;
    await this.worker?.terminate();
    this.worker = undefined;
  }

  private start(): Worker {
    const worker = new Worker(workerFile("checkpoint-worker"));
    // Without this an error of the thread itself would end the process; its exit is noticed in any case.
    worker.on("error", () => {});
    this.worker = worker;
    return worker;
  }
}
