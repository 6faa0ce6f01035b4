/** Garbage that is collected when a phase of work says so, and not when the collector thinks that memory has become scarce. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Collects the garbage of this thread's heap, in some tens of milliseconds. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}

/**
 * Keeps garbage below `bytes` in a loop that asks often: left to itself the collector lets a heap grow to a multiple of what
 * lives in it, which beside native code that takes memory of its own is too much.
 */
export function garbageBelow(bytes: number): () => void {
  collectGarbage();
  let living = process.memoryUsage().heapUsed;
  return () => {
    if (process.memoryUsage().heapUsed - living < bytes) return;
    collectGarbage();
    living = process.memoryUsage().heapUsed;
  };
}
