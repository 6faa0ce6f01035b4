import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, totalmem } from "node:os";
import { lackingLevels } from "../engine/index.ts";
import { measureJob, measureLevelsJob, runJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { formatBytes, formatFlops, say } from "./terminal.ts";

/** `tilth doctor` */
export const doctor: Command = {
  summary: "what this machine has and how fast it is",
  usage: "[options]",
  options: {
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    threads: { describe: "threads to use", placeholder: "count" },
    json: { describe: "print one JSON object" },
  },
  examples: ["tilth doctor", "TILTH_ISA=avx2 tilth doctor --json"],
  async run(input) {
    const device = {
      backend: input.text("backend") ?? "auto",
      threads: input.number("threads", { minimum: 1, maximum: 256, whole: true }),
      precision: "auto" as const,
    };
    const measured = await runJob(measureJob, { device }, { onEvent: ({ warning }) => say(`tilth: ${warning}`) });
    const levels = measured.backend === "cpu" ? await runJob(measureLevelsJob, { threads: device.threads }) : [];
    const lacking = lackingLevels();
    const programs = Object.fromEntries(
      ["mpirun", "mpicc", "sbatch", "srun"].map((name) => [name, programVersion(name)]),
    );
    const machine = {
      processor: cpus()[0]?.model ?? "unknown",
      processors: availableParallelism(),
      memoryBytes: totalmem(),
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
    };
    if (input.flag("json")) {
      process.stdout.write(
        `${JSON.stringify({ ...machine, ...measured, levels, lackingLevels: lacking, programs })}\n`,
      );
      return;
    }
    process.stdout.write(
      [
        `Processor    ${machine.processor}, ${machine.processors} threads`,
        `Memory       ${formatBytes(machine.memoryBytes)}`,
        `Node         ${machine.node} on ${machine.platform}`,
        `Backend      ${measured.description}`,
        `Peak         ${formatFlops(measured.peakFlops)} in ${measured.precision}, measured: what MFU is a share of`,
        `Memory rate  ${formatBytes(measured.memoryBytesPerSecond)}/s copying, ${formatBytes(measured.memoryReadBytesPerSecond)}/s reading`,
        ...(measured.launchSeconds === null
          ? []
          : [
              `Launch       ${(measured.launchSeconds * 1e6).toFixed(2)} µs to start ${measured.threads} threads and to end`,
            ]),
        ...levels.map(
          ({ level, precision, peakFlops, productFlops }, index) =>
            `${(index === 0 ? "Levels" : "").padEnd(12)} ${level.padEnd(10)} ${precision.padEnd(4)}  peak ${formatFlops(peakFlops)}, product of 2,048² ${formatFlops(productFlops)} (${((100 * productFlops) / peakFlops).toFixed(0)} %)`,
        ),
        ...lacking.map(({ level, why }) => `${"".padEnd(12)} ${level.padEnd(10)} not here: ${why}`),
        ...Object.entries(programs).map(([name, version]) => `${name.padEnd(12)} ${version ?? "not here"}`),
        "",
      ].join("\n"),
    );
  },
};

/** The first line of what a program says of itself, or null where it is not installed. */
function programVersion(name: string): string | null {
  const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.split("\n")[0].trim() : null;
}
