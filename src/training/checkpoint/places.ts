/** Where the checkpoints of a run are, and what they are called. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where checkpoints of a run are. */
export function checkpointsFolder(runFolder: string): string {
  return join(runFolder, "checkpoints");
}

/** The folder of a step's checkpoint. */
export function checkpointPath(runFolder: string, step: number): string {
  return join(checkpointsFolder(runFolder), `step-${String(step).padStart(7, "0")}`);
}

/** The names of the finished checkpoints of a run, oldest first. */
export function checkpointNames(runFolder: string): string[] {
  const folder = checkpointsFolder(runFolder);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^step-\d+$/.test(name))
    .sort();
}

/** What lies in a checkpoint beside the model. */
export const stateFolder = "training-state";
/** The averaged weights, a Hugging Face folder of their own. */
export const averagedFolder = "ema";
