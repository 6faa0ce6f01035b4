/** A time limit for work that cannot be asked to stop: parsers of others on input of others. */
import { Script } from "node:vm";

const slot = Symbol.for("tilth.within-time");
const script = new Script(`globalThis[Symbol.for("tilth.within-time")]()`);

/**
 * The result of `work`. Where it takes longer than `milliseconds` it is stopped and an error with the code
 * ERR_SCRIPT_EXECUTION_TIMEOUT thrown; the work must own what it leaves half done.
 */
export function withinTime<Result>(work: () => Result, milliseconds: number): Result {
  const scope = globalThis as unknown as Record<symbol, unknown>;
  let result: Result | undefined;
  scope[slot] = () => {
    result = work();
  };
  try {
    script.runInThisContext({ timeout: milliseconds });
  } finally {
    delete scope[slot];
  }
  return result as Result;
}
