/** A Slurm cluster of one machine for tests: munged, slurmctld and slurmd in a folder of their own, without cgroups. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A running cluster. Partition `test` can be preempted by `urgent`; both have the machine's one node with four processors. */
export interface SlurmCluster {
  readonly environment: NodeJS.ProcessEnv;
  /** Runs one of Slurm's commands; throws where it fails. */
  command(name: string, ...parameters: string[]): string;
  /** Waits until `squeue` lists no job. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const programs = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol"];
/** Debian keeps daemons where users' paths do not lead. */
const path = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Starts a cluster. Returns why not where it cannot. */
export async function startSlurm(): Promise<SlurmCluster | string> {
  const missing = programs.filter(
    (name) => spawnSync("which", [name], { env: { ...process.env, PATH: path } }).status !== 0,
  );
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  const folder = mkdtempSync(join(tmpdir(), "tilth-slurm-"));
  for (const name of ["state", "spool"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "munge.key"), randomBytes(1024), { mode: 0o600 });
  const [controlPort, nodePort] = [await freePort(), await freePort()];
  writeFileSync(join(folder, "slurm.conf"), configurationOf(folder, controlPort, nodePort));
  const environment = { ...process.env, PATH: path, SLURM_CONF: join(folder, "slurm.conf") };
  const start = (name: string, ...parameters: string[]) => {
    const output = openSync(join(folder, `${name}.out`), "a");
    return spawn(name, parameters, { env: environment, stdio: ["ignore", output, output] });
  };
  const munge = ["key-file", "socket", "pid-file", "log-file", "seed-file"].map(
    (one) => `--${one}=${join(folder, `munge.${one.replace("-file", "")}`)}`,
  );
  const daemons = [start("munged", "--foreground", "--force", ...munge)];
  await sleep(300);
  daemons.push(start("slurmctld", "-D"), start("slurmd", "-D"));
  const stop = async () => {
    // Those that ask first: slurmd ends its steps while the controller still answers.
    for (const daemon of daemons.reverse()) {
      if (daemon.exitCode !== null) continue;
      const ended = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill("SIGTERM");
      await Promise.race([ended, sleep(5000).then(() => daemon.kill("SIGKILL"))]);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const query = (name: string, ...parameters: string[]) =>
    spawnSync(name, parameters, { encoding: "utf8", env: environment, timeout: 10_000 });
  for (let tries = 0; tries < 60; tries++) {
    if (daemons.some(({ exitCode }) => exitCode !== null)) break;
    if (query("sinfo", "--noheader", "--format=%T").stdout.includes("idle")) {
      return {
        environment,
        stop,
        command(name, ...parameters) {
          const { status, stdout, stderr } = query(name, ...parameters);
          if (status !== 0) throw new Error(`${name} ${parameters.join(" ")} ended with ${status}: ${stderr}`);
          return stdout;
        },
        async idle() {
          while (query("squeue", "--noheader").stdout.trim() !== "") await sleep(100);
        },
      };
    }
    await sleep(250);
  }
  const said = ["munged", "slurmctld", "slurmd"].map((name) => readFileSync(join(folder, `${name}.out`), "utf8"));
  await stop();
  return `Slurm did not start: ${said.join("").trim().split("\n").slice(-3).join("; ")}`;
}

function configurationOf(folder: string, controlPort: number, nodePort: number): string {
  const [user, host] = [userInfo().username, hostname().split(".")[0]];
  return `ClusterName=tilth
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controlPort}
SlurmdPort=${nodePort}
SlurmUser=${user}
SlurmdUser=${user}
AuthType=auth/munge
AuthInfo=socket=${join(folder, "munge.socket")}
CredType=cred/munge
StateSaveLocation=${join(folder, "state")}
SlurmdSpoolDir=${join(folder, "spool")}
SlurmctldPidFile=${join(folder, "slurmctld.pid")}
SlurmdPidFile=${join(folder, "slurmd.pid")}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
NodeName=${host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES PriorityTier=1 GraceTime=60 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=10 MaxTime=INFINITE State=UP
`;
}

/** A port of this machine that nobody listens to. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(address)));
    });
  });
}
