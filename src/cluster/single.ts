import type { Communicator } from "./communicator.ts";

/** The only rank of a run on one process: nothing to exchange. */
export function createSingleCommunicator(): Communicator {
  return {
    name: "single",
    rank: 0,
    size: 1,
    allReduce: async () => {},
    startAllReduce: () => {},
    finishAllReduces: async () => {},
    sum: (values) => values,
    broadcast: async () => {},
    barrier: () => {},
    abort: (exitCode) => process.exit(exitCode),
    dispose: () => {},
  };
}
