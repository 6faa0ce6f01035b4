import { resolve } from "node:path";
import { missingParts } from "../../corpus/index.ts";
import { mergeRecordedParts } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { interruptSignal, progressLine } from "../terminal.ts";
import { describeBuild, storeOptions } from "./store.ts";

/** `tilth data merge` */
export const merge: Command = {
  summary: "join the parts of a build that ran as --partition 1/n … n/n",
  usage: "--corpus <folder> [options]",
  options: {
    ...storeOptions,
    missing: {
      describe: "print which of so many parts are not done, as 2,5, and stop",
      placeholder: "parts",
    },
    workers: { describe: "worker threads; all processors if left out", placeholder: "number" },
  },
  examples: ["tilth data merge --corpus corpus"],
  async run(input) {
    const parts = input.number("missing", { minimum: 1, whole: true });
    if (parts !== undefined) {
      process.stdout.write(`${missingParts(input.text("corpus")!, parts).join(",")}\n`);
      return;
    }
    const progress = progressLine();
    const corpus = await mergeRecordedParts(resolve(input.text("corpus")!), {
      workers: input.number("workers", { minimum: 0, maximum: 256, whole: true }),
      onProgress: progress.update,
      signal: interruptSignal("stopping; finished parts are kept"),
    });
    progress.end();
    process.stdout.write(input.flag("json") ? `${JSON.stringify(corpus)}\n` : describeBuild(corpus));
  },
};
