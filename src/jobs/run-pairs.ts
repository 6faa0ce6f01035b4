/** A contrastive run in its folder: started, or continued bit for bit. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson, hashOf, parseSettings } from "../foundation/index.ts";
import type { RunHooks } from "./run.ts";
import { placesOf, type RunDescription, writeRunDescription } from "./run-folder.ts";
import { runJob } from "./run-job.ts";
import { type TrainPairsEvent, type TrainPairsInput, type TrainPairsOutput, trainPairsJob } from "./train-pairs.ts";

/** What of a run stands in `run.json` beside device, model and training. */
const dataSettings = z.strictObject({
  images: z.strictObject({
    path: z.string(),
    template: z.string().optional(),
    background: z.string().optional(),
  }),
  vocabularySize: z.number(),
  validationShare: z.number(),
});

/** Trains from the first step; checkpoints of an earlier run in the folder are removed. */
export function trainPairsRun(
  input: Omit<TrainPairsInput, "resume" | "files"> & { readonly training: Readonly<Record<string, unknown>> },
  hooks: RunHooks<TrainPairsEvent>,
): Promise<TrainPairsOutput> {
  const { runFolder, images, vocabularySize, validationShare, device, model, training } = input;
  const places = placesOf(runFolder);
  rmSync(places.checkpoints, { recursive: true, force: true });
  rmSync(places.log, { force: true });
  const configuration = dataSettings.parse({ images, vocabularySize, validationShare });
  writeRunDescription(runFolder, {
    ...{ configuration, device, training, objective: { kind: "contrastive" } },
    model: { architecture: model.architecture, configuration: { ...model.configuration } },
    corpusKey: hashOf(canonicalJson(configuration)),
  });
  return runJob(trainPairsJob, { ...input, resume: false, files: travelling(images.path) }, hooks);
}

/** Continues the run that `description` describes, if it is a contrastive one. */
export function resumePairsRun(
  runFolder: string,
  { configuration, device, model, training, objective }: RunDescription,
  hooks: RunHooks<TrainPairsEvent>,
): Promise<TrainPairsOutput> | undefined {
  if (objective.kind !== "contrastive") return undefined;
  const data = parseSettings(dataSettings, configuration, "the data settings in run.json");
  return runJob(
    trainPairsJob,
    { runFolder, ...data, device, model, training, resume: true, files: travelling(data.images.path) },
    hooks,
  );
}

/** What a set says of its rights travels with every checkpoint. */
function travelling(path: string): Record<string, string> {
  const file = join(path, "ATTRIBUTION.md");
  return existsSync(file) ? { "ATTRIBUTION.md": readFileSync(file, "utf8") } : {};
}
