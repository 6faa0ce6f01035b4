/** Several processes as one run: communication between ranks, and the launchers that start them. */
import type { Communicator } from "./communicator.ts";
import { launchedPlace } from "./launched.ts";
import { createMpiCommunicator } from "./mpi.ts";
import { createSingleCommunicator } from "./single.ts";

/** MPI's communicator where mpirun or srun started several ranks, else that of a single process. */
export async function createCommunicator(): Promise<Communicator> {
  return launchedPlace() === undefined ? createSingleCommunicator() : createMpiCommunicator();
}

export type { Communicator, ReductionPrecision } from "./communicator.ts";
export { launchedPlace, type Place } from "./launched.ts";
export * from "./launchers/index.ts";
export { findMpiCompiler } from "./mpi.ts";
export { createSingleCommunicator } from "./single.ts";
