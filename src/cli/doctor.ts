import { availableParallelism, cpus, totalmem } from "node:os";
import { measureJob, runJob } from "../jobs/index.ts";
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
    };
    const measured = await runJob(measureJob, { device }, { onEvent: ({ warning }) => say(`tilth: ${warning}`) });
    const machine = {
      processor: cpus()[0]?.model ?? "unknown",
      processors: availableParallelism(),
      memoryBytes: totalmem(),
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
    };
    if (input.flag("json")) {
      process.stdout.write(`${JSON.stringify({ ...machine, ...measured })}\n`);
      return;
    }
    process.stdout.write(
      [
        `Processor    ${machine.processor}, ${machine.processors} threads`,
        `Memory       ${formatBytes(machine.memoryBytes)}`,
        `Node         ${machine.node} on ${machine.platform}`,
        `Backend      ${measured.description}`,
        `Peak         ${formatFlops(measured.peakFlops)} in f32, measured: what MFU is a share of`,
        `Memory rate  ${formatBytes(measured.memoryBytesPerSecond)}/s, copying`,
        "",
      ].join("\n"),
    );
  },
};
