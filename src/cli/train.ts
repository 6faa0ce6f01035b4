import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import { runJob, trainJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { placesOf, readRunDescription } from "./run-folder.ts";
import { interruptSignal, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

/** `tilth train --resume` */
export const train: Command = {
  summary: "continue a run from its last checkpoint, bit for bit",
  usage: "--resume <run folder> [options]",
  options: {
    resume: { describe: "the run to continue", placeholder: "run folder" },
    json: { describe: "print every record as a JSON line" },
  },
  examples: ["tilth train --resume runs/quickstart"],
  async run(input) {
    const asked = input.text("resume");
    if (asked === undefined) {
      throw new UsageError("this version trains from the quickstart; `tilth train` continues such a run", {
        remedy: "Give the run's folder: tilth train --resume runs/quickstart",
      });
    }
    const runFolder = resolve(asked);
    const description = readRunDescription(runFolder);
    const places = placesOf(runFolder);
    const watch = watchTraining(Number(description.training.steps), input.flag("json"));
    const file = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
    const optional = { "README.md": file(places.card), "data-report.json": file(places.report) };
    const files = Object.fromEntries(
      Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const { device, model, training } = description;
    const trained = await runJob(
      trainJob,
      { runFolder, shards: places.shards, device, model, training, resume: true, files },
      {
        onEvent: watch.listen,
        signal: interruptSignal("stopping after this step; press Ctrl-C again to leave at once without saving"),
      },
    );
    say(`The run is complete after ${trained.steps} steps: ${trained.checkpoint}`);
  },
};
