import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { launchMpi } from "./mpi.ts";
import { launchSlurmArray, launchSlurmRun } from "./slurm.ts";

/** `tilth launch` */
export const launch: Command = {
  summary:
    "train on several ranks: mpirun on this machine or a host file's, or a Slurm job; a data build as a job array",
  usage:
    "[configuration file] (--mpi <ranks> | --slurm) [options]  |  --resume <run folder> …  |  --slurm --parts <n> -- data build …",
  options: {
    mpi: { describe: "ranks to start with mpirun", placeholder: "count" },
    hostfile: { describe: "mpirun's host file, for several machines", placeholder: "file" },
    slurm: { describe: "write and submit a batch script" },
    nodes: { describe: "Slurm: nodes", placeholder: "count", initial: "1" },
    "tasks-per-node": { describe: "Slurm: ranks of a node", placeholder: "count", initial: "1" },
    threads: { describe: "threads of a rank; with --mpi the cores shared out if left out", placeholder: "count" },
    time: {
      describe: "Slurm: time limit; the run saves and queues itself again",
      placeholder: "limit",
      initial: "12:00:00",
    },
    warning: {
      describe: "Slurm: seconds before the time limit at which the run saves",
      placeholder: "seconds",
      initial: "120",
    },
    partition: { describe: "Slurm: partition", placeholder: "name" },
    account: { describe: "Slurm: account", placeholder: "name" },
    sbatch: {
      describe: "Slurm: a further option, e.g. --sbatch=--mem=64G (repeatable)",
      placeholder: "option",
      multiple: true,
    },
    "srun-mpi": { describe: "Slurm: how srun starts MPI ranks", placeholder: "type", initial: "pmix" },
    parts: { describe: "Slurm: elements of the job array that shares the data build after --", placeholder: "count" },
    attempts: { describe: "Slurm: how often an element is started at most", placeholder: "count", initial: "3" },
    resume: { describe: "the run to continue", placeholder: "run folder" },
    set: {
      describe: "override a value of the configuration; may be repeated",
      placeholder: "name=value",
      multiple: true,
    },
    run: { describe: "the run's folder instead of the configuration's", placeholder: "folder" },
    replace: { describe: "replace the checkpoints of an earlier run in the run's folder" },
    "dry-run": { describe: "print the command or the scripts, and stop" },
  },
  examples: [
    "tilth launch --mpi 2",
    "tilth launch --resume runs/mine --mpi 4 --threads 8 --hostfile hosts",
    "tilth launch --slurm --nodes 4 --tasks-per-node 2 --threads 32 --dry-run",
    "tilth launch --slurm --parts 64 --threads 8 -- data build --read warc:crawl --corpus corpus",
  ],
  async run(input) {
    const ranks = input.number("mpi", { minimum: 1, maximum: 65_536, whole: true });
    const parts = input.number("parts", { minimum: 1, maximum: 100_000, whole: true });
    if ((ranks === undefined) === !input.flag("slurm")) {
      throw new UsageError("give either --mpi <ranks> or --slurm", { remedy: "See: tilth launch --help" });
    }
    if (ranks !== undefined) return launchMpi(input, ranks);
    return parts === undefined ? launchSlurmRun(input) : launchSlurmArray(input, parts);
  },
};
