import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import {
  type SlurmArray,
  type SlurmRequest,
  slurmArrayFiles,
  slurmElementsScript,
  slurmMergeScript,
  slurmScript,
} from "../../cluster/index.ts";
import { TilthError, UsageError, writeFileAtomically } from "../../foundation/index.ts";
import { stoppedFile } from "../../training/index.ts";
import { type CommandInput, readArguments } from "../command.ts";
import { build, corpusToBuild } from "../data/build.ts";
import { say } from "../terminal.ts";
import { rankProgram, requireShares, runFolderOf, tilth } from "./run.ts";

const whole = (input: CommandInput, name: string, initial: number) =>
  input.number(name, { minimum: 1, maximum: 65_536, whole: true }) ?? initial;

const requestOf = (input: CommandInput, name: string): SlurmRequest => ({
  name,
  threads: whole(input, "threads", 1),
  time: input.text("time")!,
  partition: input.text("partition"),
  account: input.text("account"),
  extra: input.list("sbatch"),
});

/** Submits a training run: one job that queues itself again until the run is complete. */
export async function launchSlurmRun(input: CommandInput): Promise<void> {
  const [nodes, tasksPerNode] = [whole(input, "nodes", 1), whole(input, "tasks-per-node", 1)];
  const script = (runFolder: string) =>
    slurmScript({
      ...requestOf(input, `tilth-${basename(runFolder)}`),
      ...{ nodes, tasksPerNode, mpi: input.text("srun-mpi")!, runFolder, stoppedFile: stoppedFile(runFolder) },
      warningSeconds: whole(input, "warning", 120),
      program: rankProgram(input, runFolder),
    });
  if (input.flag("dry-run")) {
    process.stdout.write(script(resolve(input.text("resume") ?? input.text("run") ?? "run")));
    return;
  }
  const runFolder = await runFolderOf(input);
  requireShares(runFolder, nodes * tasksPerNode);
  const file = join(runFolder, "job.sbatch");
  writeFileAtomically(file, script(runFolder));
  const job = submit(file);
  say(`Job ${job} trains the run; what it says: ${runFolder}/slurm-${job}.out; where it stands: squeue --jobs=${job}`);
}

/** Submits a data build in parts, and the job that merges them. */
export async function launchSlurmArray(input: CommandInput, parts: number): Promise<void> {
  const [data, name, ...parameters] = input.positionals;
  if (data !== "data" || name !== "build") {
    throw new UsageError("--parts shares a data build, which must follow after two dashes", {
      remedy: "For example: tilth launch --slurm --parts 64 -- data build --folder texts --corpus corpus",
    });
  }
  const given = readArguments(build, parameters);
  if (given.text("partition") !== undefined) throw new UsageError("--parts gives each element its --partition itself");
  const { folder: corpus } = await corpusToBuild(given);
  const folder = `${corpus}.slurm`;
  const request = requestOf(input, `tilth-${basename(corpus)}`);
  const workers = given.text("workers") === undefined ? ["--workers", String(request.threads)] : [];
  const array: SlurmArray = {
    ...{ ...request, parts, attempts: whole(input, "attempts", 3), folder },
    buildPart: tilth("data", "build", ...parameters, ...workers, "--partition"),
    merge: tilth("data", "merge", "--corpus", corpus),
  };
  const [elements, merge] = [slurmElementsScript(array), slurmMergeScript(array)];
  if (input.flag("dry-run")) {
    process.stdout.write(`${elements}\n${merge}`);
    return;
  }
  mkdirSync(folder, { recursive: true });
  const [elementsFile, mergeFile] = [join(folder, slurmArrayFiles.elements), join(folder, slurmArrayFiles.merge)];
  writeFileAtomically(elementsFile, elements);
  writeFileAtomically(mergeFile, merge);
  const job = submit(`--array=1-${parts}`, elementsFile);
  const merging = submit(`--dependency=afterany:${job}`, mergeFile);
  say(`Job ${job} builds ${parts} parts, job ${merging} merges them; what they say: ${folder}`);
}

/** The id of the job that sbatch makes. */
function submit(...parameters: string[]): string {
  const { error, status, stdout, stderr } = spawnSync("sbatch", ["--parsable", ...parameters], { encoding: "utf8" });
  if (status === 0) return stdout.trim().split(";")[0];
  const what = error === undefined ? `sbatch ended with ${status}: ${stderr.trim()}` : "sbatch is not installed here";
  throw new TilthError(what, {
    remedy: `The script is written. Submit it on a machine of the cluster that sees its folder: sbatch ${parameters.join(" ")}`,
  });
}
