/** The folder of a run: the same layout for the quickstart and for every other run. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { TilthError, writeFileAtomically } from "../foundation/index.ts";

/** What `run.json` holds: enough to repeat or resume the run. */
export const runDescription = z.strictObject({
  tilth: z.string(),
  created: z.string(),
  device: z.strictObject({ backend: z.string(), threads: z.number().optional() }),
  model: z.strictObject({ architecture: z.string(), configuration: z.record(z.string(), z.unknown()) }),
  training: z.record(z.string(), z.unknown()),
  corpusKey: z.string(),
});

export type RunDescription = z.infer<typeof runDescription>;

/** Where things are in a run folder. */
export const placesOf = (runFolder: string) => ({
  description: join(runFolder, "run.json"),
  corpus: join(runFolder, "corpus"),
  shards: join(runFolder, "shards"),
  card: join(runFolder, "card.md"),
  report: join(runFolder, "data-report.json"),
});

export function writeRunDescription(runFolder: string, description: RunDescription): void {
  writeFileAtomically(placesOf(runFolder).description, `${JSON.stringify(description, null, 2)}\n`);
}

/** Throws TilthError where the folder is no run or its description is damaged. */
export function readRunDescription(runFolder: string): RunDescription {
  const file = placesOf(runFolder).description;
  if (!existsSync(file)) {
    throw new TilthError(`${runFolder} is no run: run.json is missing`, {
      remedy: "Give the folder of a run, e.g. runs/quickstart.",
    });
  }
  try {
    return runDescription.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TilthError(`${file} is damaged or of another version`, { cause });
  }
}
