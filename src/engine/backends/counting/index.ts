/**
 * A backend without numbers: it hands out memory that is only counted and notes what every kernel would have to do. A step
 * on it tells the memory and the work of that step on a real one, because ops never look at data.
 */
import type { Backend, Kernels, Precision } from "../../backend.ts";
import { elementCount, type Storage, type Tensor } from "../../tensor.ts";
import { headScratchBytes, workOf } from "./work.ts";

/** What the calls of one kernel came to. `bytes` are read and written, each tensor once. */
export interface KernelWork {
  readonly kernel: keyof Kernels;
  readonly calls: number;
  readonly flops: number;
  readonly bytes: number;
}

/** The backend, and what was asked of it since it was made or last reset. */
export interface CountingBackend extends Backend {
  work(): KernelWork[];
  resetWork(): void;
}

/** Makes a counting backend; what it counts holds for a backend of that precision. */
export function createCountingBackend(precision: Precision): CountingBackend {
  let [bytes, peakBytes, scratchBytes] = [0, 0, 0];
  const totals = new Map<keyof Kernels, { calls: number; flops: number; bytes: number }>();
  const kernels = new Proxy({} as Kernels, {
    get:
      (_, name: keyof Kernels) =>
      (...given: unknown[]) => {
        const total = totals.get(name) ?? { calls: 0, flops: 0, bytes: 0 };
        const work = workOf(name, given);
        totals.set(name, { calls: total.calls + 1, flops: total.flops + work.flops, bytes: total.bytes + work.bytes });
        if (name === "headCrossEntropy") {
          scratchBytes = Math.max(scratchBytes, headScratchBytes(given[0] as { x: Tensor; weight: Tensor }, precision));
        }
      },
  });
  return {
    name: "counting",
    description: `counting (${precision})`,
    threads: 1,
    precision,
    storesBfloat16: true,
    kernels,
    allocate(wanted): Storage {
      bytes += wanted;
      peakBytes = Math.max(peakBytes, bytes);
      return { bytes: wanted };
    },
    release(storage) {
      bytes -= storage.bytes;
    },
    write() {},
    read: async (tensor) => new Float32Array(elementCount(tensor)),
    readIntegers: async (tensor) => new Int32Array(elementCount(tensor)),
    kernelSeconds: () => 0,
    measurePeakFlops: () => Number.POSITIVE_INFINITY,
    memory: () => ({ bytes, peakBytes: peakBytes + scratchBytes }),
    dispose() {},
    work: () => [...totals].map(([kernel, total]) => ({ kernel, ...total })),
    resetWork: () => totals.clear(),
  };
}
