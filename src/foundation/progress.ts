/** Progress of long work, described once and shown by whoever watches: a terminal bar, plain lines, JSON. */

/** One report of progress. `total` is undefined while it is unknown. */
export interface Progress {
  /** What is being done, e.g. "reading", "training the tokenizer". */
  readonly stage: string;
  readonly done: number;
  readonly total?: number;
  /** What `done` counts: "documents", "bytes", "merges", "steps". */
  readonly unit: string;
  /** A short addition for people, e.g. the current loss. */
  readonly detail?: string;
}

/** Receives progress; called as often as the work likes, so it must be cheap and must not throw. */
export type ProgressListener = (progress: Progress) => void;

/** What every long operation takes. */
export interface WorkOptions {
  readonly onProgress?: ProgressListener;
  /** Aborting stops the work at the next safe point; it then throws `InterruptedError`. */
  readonly signal?: AbortSignal;
}
