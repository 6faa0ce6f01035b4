/** Batch scripts for Slurm: what every job asks of the cluster, and the script of a training run. */

/** What a job asks of the cluster. Of what is left out the cluster decides. */
export interface SlurmRequest {
  readonly name: string;
  /** Threads, and so processors, of a task. */
  readonly threads: number;
  /** As sbatch takes it, e.g. 12:00:00. */
  readonly time: string;
  readonly partition?: string;
  readonly account?: string;
  /** Further options of sbatch, e.g. `--mem=64G`. */
  readonly extra: readonly string[];
}

/** A training run. */
export interface SlurmJob extends SlurmRequest {
  readonly nodes: number;
  readonly tasksPerNode: number;
  /** How srun starts MPI ranks: pmix, pmi2, … */
  readonly mpi: string;
  /** Seconds before the time limit at which the run saves its state and makes room. */
  readonly warningSeconds: number;
  /** Where the output goes. */
  readonly runFolder: string;
  /** A file that the program leaves where it stopped before the end with its state saved. */
  readonly stoppedFile: string;
  /** The program and its arguments; it resumes the run from its last checkpoint. */
  readonly program: readonly string[];
}

/** The first lines of a script. `output` is a file name with Slurm's own placeholders, such as %j. */
export function slurmHead(request: SlurmRequest, output: string, more: readonly string[] = []): string[] {
  const { name, threads, time, partition, account, extra } = request;
  return [
    "#!/usr/bin/env bash",
    ...[
      `--job-name=${name.replace(/[^\w.-]/g, "-")}`,
      `--cpus-per-task=${threads}`,
      `--time=${time}`,
      ...(partition === undefined ? [] : [`--partition=${partition}`]),
      ...(account === undefined ? [] : [`--account=${account}`]),
      `--output=${quoted(output)}`,
      "--open-mode=append",
      ...more,
      ...extra,
    ].map((option) => `#SBATCH ${option}`),
    "",
  ];
}

/** A word as the shell, and a line of #SBATCH, reads it back. */
export function quoted(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The script of a training run for `sbatch`: it saves and queues itself again before its time is up, or when it is preempted. */
export function slurmScript(job: SlurmJob): string {
  const { nodes, tasksPerNode, threads, warningSeconds, runFolder } = job;
  const srun = [
    "srun",
    ...(nodes * tasksPerNode === 1 ? [] : [`--mpi=${job.mpi}`]),
    // srun does not take it over from sbatch since Slurm 22.05.
    `--cpus-per-task=${threads}`,
    "--kill-on-bad-exit=1",
    ...job.program.map(quoted),
  ];
  const stopped = quoted(job.stoppedFile);
  return [
    ...slurmHead(job, `${runFolder}/slurm-%j.out`, [
      `--nodes=${nodes}`,
      `--ntasks-per-node=${tasksPerNode}`,
      "--requeue",
      `--signal=TERM@${warningSeconds}`,
    ]),
    `export TILTH_THREADS=${threads}`,
    "# Slurm sends the ranks SIGTERM before the time is up and where the job is preempted: they save, and leave this file.",
    `rm -f ${stopped}`,
    srun.join(" "),
    "code=$?",
    `if [ -e ${stopped} ]; then echo "tilth: the run was told to stop and has saved its state"; fi`,
    "# 143: SIGTERM met a rank that had only begun. A job that was cancelled or that Slurm has queued again by itself is no longer running.",
    `if { [ -e ${stopped} ] || [ "$code" -eq 143 ]; } && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then`,
    `  echo "tilth: the job is queued again"`,
    `  exec scontrol requeue "$SLURM_JOB_ID"`,
    "fi",
    `exit "$code"`,
    "",
  ].join("\n");
}
