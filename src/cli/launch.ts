import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { mpirunArguments, requireMpi, slurmScript } from "../cluster/index.ts";
import { packageRoot, TilthError, UsageError, writeFileAtomically } from "../foundation/index.ts";
import { placesOf, readRunDescription } from "../jobs/index.ts";
import { requireEvenShares, trainingConfiguration } from "../training/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { say } from "./terminal.ts";
import { prepareNew } from "./train.ts";

const program = (runFolder: string, overrides: readonly string[]) => [
  process.execPath,
  join(packageRoot(), "dist", "cli.js"),
  "train",
  "--resume",
  runFolder,
  ...overrides.flatMap((override) => ["--set", override]),
];

/** `tilth launch` */
export const launch: Command = {
  summary: "train on several ranks: mpirun on this machine or a host file's, or a Slurm job",
  usage: "[configuration file] (--mpi <ranks> | --slurm) [options]  |  --resume <run folder> …",
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
    partition: { describe: "Slurm: partition", placeholder: "name" },
    account: { describe: "Slurm: account", placeholder: "name" },
    "srun-mpi": { describe: "Slurm: how srun starts MPI ranks", placeholder: "type", initial: "pmix" },
    resume: { describe: "the run to continue", placeholder: "run folder" },
    set: {
      describe: "override a value of the configuration; may be repeated",
      placeholder: "name=value",
      multiple: true,
    },
    run: { describe: "the run's folder instead of the configuration's", placeholder: "folder" },
    replace: { describe: "replace the checkpoints of an earlier run in the run's folder" },
    "dry-run": { describe: "print the command or the script, and stop" },
  },
  examples: [
    "tilth launch --mpi 2",
    "tilth launch --resume runs/mine --mpi 4 --threads 8 --hostfile hosts",
    "tilth launch --slurm --nodes 4 --tasks-per-node 2 --threads 32 --dry-run",
  ],
  async run(input) {
    const ranks = input.number("mpi", { minimum: 1, maximum: 65_536, whole: true });
    if ((ranks === undefined) === !input.flag("slurm")) {
      throw new UsageError("give either --mpi <ranks> or --slurm", { remedy: "See: tilth launch --help" });
    }
    return ranks === undefined ? launchSlurm(input) : launchMpi(input, ranks);
  },
};

/** The run's folder, with corpus and shards in it: ranks only train. */
async function runFolderOf(input: CommandInput): Promise<string> {
  const resumed = input.text("resume");
  if (resumed === undefined) return prepareNew(input);
  readRunDescription(resolve(resumed));
  return resolve(resumed);
}

/** A new run has its overrides in its description; one that is resumed gets them from the command line. */
const resumeOverrides = (input: CommandInput) => (input.text("resume") === undefined ? [] : input.list("set"));

async function launchMpi(input: CommandInput, ranks: number): Promise<void> {
  const processors = availableParallelism();
  const threads =
    input.number("threads", { minimum: 1, maximum: 256, whole: true }) ?? Math.max(1, Math.floor(processors / ranks));
  const overrides = resumeOverrides(input);
  const command = (runFolder: string) => [
    "mpirun",
    ...mpirunArguments({
      ranks,
      threads,
      processors,
      hostFile: input.text("hostfile"),
      program: program(runFolder, overrides),
    }),
  ];
  if (input.flag("dry-run")) {
    process.stdout.write(`${command(input.text("resume") ?? "<run folder>").join(" ")}\n`);
    return;
  }
  requireMpi();
  const runFolder = await runFolderOf(input);
  // Before anything is started: a rank that refuses would leave the others waiting.
  requireEvenShares(trainingConfiguration.parse(readRunDescription(runFolder).training), ranks);
  const [name, ...rest] = command(runFolder);
  say(`Starting ${ranks} ranks of ${threads} thread${threads === 1 ? "" : "s"}.`);
  // In a process group of its own: Ctrl-C would end mpirun, and its ranks with it, before they have saved.
  const child = spawn(name, rest, { stdio: "inherit", detached: true });
  let asked = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => child.kill(asked++ === 0 ? "SIGUSR2" : signal));
  }
  const status = await new Promise<number>((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done(code ?? 1));
  });
  if (status !== 0) {
    throw new TilthError(`mpirun ended with ${status}; what the ranks said stands above`, {
      remedy: "The run continues from its last checkpoint with: tilth launch --resume <run folder> --mpi <ranks>",
      exitCode: status,
    });
  }
}

async function launchSlurm(input: CommandInput): Promise<void> {
  const whole = (name: string, initial: number) =>
    input.number(name, { minimum: 1, maximum: 65_536, whole: true }) ?? initial;
  const script = (runFolder: string) =>
    slurmScript({
      name: `tilth-${runFolder.split("/").at(-1)}`,
      nodes: whole("nodes", 1),
      tasksPerNode: whole("tasks-per-node", 1),
      threads: whole("threads", 1),
      time: input.text("time") ?? "12:00:00",
      partition: input.text("partition"),
      account: input.text("account"),
      mpi: input.text("srun-mpi") ?? "pmix",
      runFolder,
      program: program(runFolder, resumeOverrides(input)),
    });
  if (input.flag("dry-run")) {
    process.stdout.write(script(resolve(input.text("resume") ?? input.text("run") ?? "run")));
    return;
  }
  const runFolder = await runFolderOf(input);
  mkdirSync(placesOf(runFolder).checkpoints, { recursive: true });
  const file = join(runFolder, "job.sbatch");
  writeFileAtomically(file, script(runFolder));
  const child = spawn("sbatch", [file], { stdio: "inherit" });
  const status = await new Promise<number>((done) => {
    child.on("error", () => done(127));
    child.on("close", (code) => done(code ?? 1));
  });
  if (status !== 0) {
    throw new TilthError(status === 127 ? "sbatch is not installed here" : `sbatch ended with ${status}`, {
      remedy: `The script is written: ${file}. Submit it on a machine of the cluster that sees this folder: sbatch ${file}`,
    });
  }
}
