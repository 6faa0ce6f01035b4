/** The command that starts ranks on this machine, or on the hosts of a host file, with the system's mpirun. */
import { spawnSync } from "node:child_process";
import { TilthError } from "../../foundation/index.ts";

/** What to start, and how often. */
export interface MpiLaunch {
  readonly ranks: number;
  /** Threads of each rank. */
  readonly threads: number;
  /** Processors that ranks may be bound to on this machine. */
  readonly processors: number;
  /** mpirun's own host file, for several machines. */
  readonly hostFile?: string;
  /** The program and its arguments. */
  readonly program: readonly string[];
}

/**
 * mpirun's arguments. Each rank is bound to as many cores as it has threads where there are enough; where there are not, ranks
 * share the cores unbound.
 */
export function mpirunArguments({ ranks, threads, processors, hostFile, program }: MpiLaunch): string[] {
  const fits = hostFile !== undefined || ranks * threads <= processors;
  const placement = fits
    ? ["--map-by", `slot:PE=${threads}`, "--bind-to", "core"]
    : ["--oversubscribe", "--bind-to", "none"];
  return [
    "-n",
    String(ranks),
    ...placement,
    // When a rank fails, mpirun tells the others to end and waits that long, whatever they do. Who should stop in an orderly
    // way is told by SIGUSR2 instead, which mpirun passes on and does nothing about.
    ...["--mca", "odls_base_sigkill_timeout", "3"],
    ...(hostFile === undefined ? [] : ["--hostfile", hostFile]),
    ...["-x", `TILTH_THREADS=${threads}`],
    ...program,
  ];
}

/** Throws TilthError where mpirun or mpicc is missing. */
export function requireMpi(): void {
  for (const command of ["mpirun", process.env.MPICC || "mpicc"]) {
    if (spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0) continue;
    throw new TilthError(`${command} is not installed: ranks cannot be started over MPI`, {
      remedy: "Install an MPI, e.g. on Debian and Ubuntu: apt install openmpi-bin libopenmpi-dev.",
    });
  }
}
