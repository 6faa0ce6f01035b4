import { resolve } from "node:path";
import { UsageError } from "../../foundation/index.ts";
import { mergeAdapterJob, runJob } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { progressLine } from "../terminal.ts";

/** `tilth adapt merge` */
export const merge: Command = {
  summary: "write a model with the updates of an adapter in its weights",
  usage: "<checkpoint folder> <adapter folder> --output <folder> [--undo]",
  options: {
    output: { describe: "folder to write", placeholder: "folder" },
    undo: { describe: "the checkpoint holds the updates: write the model before them" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
  },
  examples: [
    "tilth adapt merge checkpoint adapter --output merged",
    "tilth adapt merge merged adapter --undo --output checkpoint-again",
  ],
  async run(input) {
    const [checkpoint, adapter] = input.positionals;
    const output = input.text("output");
    if (checkpoint === undefined || adapter === undefined || output === undefined) {
      throw new UsageError("a checkpoint folder, an adapter folder and --output are needed", {
        remedy: "See: tilth adapt merge --help",
      });
    }
    const progress = progressLine();
    const folders = { checkpoint: resolve(checkpoint), adapter: resolve(adapter), output: resolve(output) };
    await runJob(
      mergeAdapterJob,
      { ...folders, undo: input.flag("undo"), device: { backend: input.text("backend") ?? "auto" } },
      {},
    );
    progress.end();
    process.stdout.write(`Written: ${output}\n`);
  },
};
