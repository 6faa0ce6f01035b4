import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { mpirunArguments, requireMpi } from "../../cluster/index.ts";
import { TilthError } from "../../foundation/index.ts";
import type { CommandInput } from "../command.ts";
import { say } from "../terminal.ts";
import { rankProgram, requireShares, runFolderOf } from "./run.ts";

/** Starts ranks with mpirun and waits for them. */
export async function launchMpi(input: CommandInput, ranks: number): Promise<void> {
  const processors = availableParallelism();
  const threads =
    input.number("threads", { minimum: 1, maximum: 256, whole: true }) ?? Math.max(1, Math.floor(processors / ranks));
  const hostFile = input.text("hostfile");
  const command = (runFolder: string) => [
    "mpirun",
    ...mpirunArguments({ ranks, threads, processors, hostFile, program: rankProgram(input, runFolder) }),
  ];
  if (input.flag("dry-run")) {
    process.stdout.write(`${command(input.text("resume") ?? "<run folder>").join(" ")}\n`);
    return;
  }
  requireMpi();
  const runFolder = await runFolderOf(input);
  requireShares(runFolder, ranks);
  const [name, ...rest] = command(runFolder);
  say(`Starting ${ranks} ranks of ${threads} thread${threads === 1 ? "" : "s"}.`);
  // In a process group of its own: Ctrl-C would end mpirun, and its ranks with it, before they have saved.
  const child = spawn(name, rest, { stdio: "inherit", detached: true });
  let interrupted = false;
  process.on("SIGINT", () => {
    child.kill(interrupted ? "SIGINT" : "SIGUSR2");
    interrupted = true;
  });
  process.on("SIGTERM", () => child.kill("SIGUSR2"));
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
