/** Starting ranks: one file a launcher. */
export { type MpiLaunch, mpirunArguments, requireMpi } from "./mpi.ts";
export { type SlurmJob, slurmScript } from "./slurm.ts";
