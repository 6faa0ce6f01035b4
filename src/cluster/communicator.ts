/** How the ranks of a run exchange numbers. One implementation a file, chosen by `createCommunicator`. */
import type { Backend, Tensor } from "../engine/index.ts";

/** What sums over ranks are rounded to on their way: bf16 halves the traffic. */
export type ReductionPrecision = "f32" | "bf16";

/** Ranks 0 … size − 1 that call the same functions in the same order. Calls return when this rank's part is done. */
export interface Communicator {
  readonly name: string;
  readonly rank: number;
  readonly size: number;
  /** Sums a contiguous f32 tensor over all ranks, in place; all ranks end with the same bits. */
  allReduce(backend: Backend, tensor: Tensor, precision: ReductionPrecision): Promise<void>;
  /** As `allReduce`, while this rank goes on computing; the tensor must be left alone until `finishAllReduces`. */
  startAllReduce(backend: Backend, tensor: Tensor, precision: ReductionPrecision): void;
  /** Waits for all that were started. No other call may be made between the first start and this. */
  finishAllReduces(): Promise<void>;
  /** Sums of a few numbers over all ranks, in f64. */
  sum(values: readonly number[]): readonly number[];
  /** Copies a contiguous f32 tensor of rank `root` to all ranks. */
  broadcast(backend: Backend, tensor: Tensor, root: number): Promise<void>;
  /** Returns when all ranks have called it. */
  barrier(): void;
  /** Ends all ranks at once with this exit code: one that fails must not leave the others waiting. */
  abort(exitCode: number): void;
  dispose(): void;
}
