/** The batch script of a training run under Slurm: it saves and queues itself again before its time is up. */

/** What the job asks of the cluster. */
export interface SlurmJob {
  readonly name: string;
  readonly nodes: number;
  readonly tasksPerNode: number;
  readonly threads: number;
  /** As sbatch takes it, e.g. 12:00:00. */
  readonly time: string;
  readonly partition?: string;
  readonly account?: string;
  /** How srun starts MPI ranks: pmix, pmi2, … */
  readonly mpi: string;
  /** Where the output goes. */
  readonly runFolder: string;
  /** The program and its arguments; it resumes the run from its last checkpoint and leaves with 130 when it was told to stop. */
  readonly program: readonly string[];
}

/** Seconds before the time limit at which Slurm asks the ranks to save. */
const warningSeconds = 120;

/** The script for `sbatch`. */
export function slurmScript(job: SlurmJob): string {
  const quote = (text: string) => (/^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  return [
    "#!/usr/bin/env bash",
    `#SBATCH --job-name=${job.name.replace(/[^\w.-]/g, "-")}`,
    `#SBATCH --nodes=${job.nodes}`,
    `#SBATCH --ntasks-per-node=${job.tasksPerNode}`,
    `#SBATCH --cpus-per-task=${job.threads}`,
    `#SBATCH --time=${job.time}`,
    ...(job.partition === undefined ? [] : [`#SBATCH --partition=${job.partition}`]),
    ...(job.account === undefined ? [] : [`#SBATCH --account=${job.account}`]),
    `#SBATCH --output=${job.runFolder}/slurm-%j.out`,
    "#SBATCH --open-mode=append",
    "#SBATCH --requeue",
    `#SBATCH --signal=TERM@${warningSeconds}`,
    "",
    `export TILTH_THREADS=${job.threads}`,
    "# The ranks save a checkpoint on SIGTERM; the batch shell waits for them.",
    "trap '' TERM",
    `srun --mpi=${job.mpi} --kill-on-bad-exit=1 ${job.program.map(quote).join(" ")}`,
    "code=$?",
    "# 130: stopped before the end with its state saved.",
    `if [ "$code" -eq 130 ]; then scontrol requeue "$SLURM_JOB_ID"; exit 0; fi`,
    `exit "$code"`,
    "",
  ].join("\n");
}
