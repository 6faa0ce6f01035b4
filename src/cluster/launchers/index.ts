/** Starting ranks: one file a launcher. */
export { type MpiLaunch, mpirunArguments, requireMpi } from "./mpi.ts";
export { type SlurmJob, type SlurmRequest, slurmScript } from "./slurm.ts";
export { type SlurmArray, slurmArrayFiles, slurmElementsScript, slurmMergeScript } from "./slurm-array.ts";
