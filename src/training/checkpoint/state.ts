/** `training-state/state.json`: every number of a run's state that is no tensor. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TilthError } from "../../foundation/index.ts";
import { stateFolder } from "./places.ts";

const stateSchema = z.strictObject({
  step: z.number().int().nonnegative(),
  /** Batches that were left out: step n takes batch n + skippedBatches. */
  skippedBatches: z.number().int().nonnegative().default(0),
  /** Losses of the last steps, newest last: what the spike guard compares with. */
  recentLosses: z.array(z.number()).default([]),
  /** The last validation up to here. */
  validation: z.strictObject({ step: z.number(), loss: z.number() }).nullable().default(null),
  /** Of the configuration that decides the numbers: a resumed run must have the same. */
  configurationHash: z.string(),
});

export type RunState = z.infer<typeof stateSchema>;

/** The state of a checkpoint. Throws TilthError where there is none or it is damaged. */
export function readState(checkpoint: string): RunState {
  const file = join(checkpoint, stateFolder, "state.json");
  if (!existsSync(file)) {
    throw new TilthError(
      `${checkpoint} has no ${stateFolder}/: it is a finished model, not a run that can be resumed`,
      {
        remedy: "Resume from a checkpoint in the run's checkpoints/ folder.",
      },
    );
  }
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TilthError(`${file} is damaged or of another version: ${messageOf(cause)}`, { cause });
  }
}
