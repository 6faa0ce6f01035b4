/** What a launcher told this process: its place among the ranks, before any communication. */

/** Rank and number of ranks. */
export interface Place {
  readonly rank: number;
  readonly size: number;
}

/** Names under which launchers leave rank and size: Open MPI, PMIx and PMI-2 (MPICH, srun), a step of Slurm. */
const variables = [
  ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
  ["PMI_RANK", "PMI_SIZE"],
  ["PMIX_RANK", "PMIX_SIZE"],
  ["SLURM_PROCID", "SLURM_STEP_NUM_TASKS"],
] as const;

/** The place that mpirun or srun gave this process; undefined where it was started alone. */
export function launchedPlace(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Place | undefined {
  for (const [rankName, sizeName] of variables) {
    const [rank, size] = [Number(environment[rankName]), Number(environment[sizeName])];
    // A single task is no rank of a parallel run.
    if (environment[rankName] !== undefined && size > 1) return { rank, size };
  }
  return undefined;
}
