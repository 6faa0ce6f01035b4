/** A contrastive run in its folder: started, or continued bit for bit. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type PairsRunConfiguration, parsePairsRunConfiguration } from "../config/index.ts";
import { canonicalJson, hashOf } from "../foundation/index.ts";
import { recordName } from "../lineage/index.ts";
import { checkpointRecord } from "./record-lineage.ts";
import type { RunHooks } from "./run.ts";
import { placesOf, type RunDescription, requireNoCheckpoints, writeRunDescription } from "./run-folder.ts";
import { runJob } from "./run-job.ts";
import { preparePairs, type TrainPairsEvent, type TrainPairsOutput, trainPairsJob } from "./train-pairs.ts";
import { watched } from "./watched.ts";

/** Trains from the first step. Throws UsageError where the run's folder holds checkpoints, unless they may be replaced. */
export function trainPairsRun(
  run: PairsRunConfiguration,
  options: { replace: boolean; peakFlops?: number },
  hooks: RunHooks<TrainPairsEvent>,
): Promise<TrainPairsOutput> {
  describeRun(run, options);
  return startTraining(run, false, options.peakFlops, hooks);
}

/** Writes description, split and tokenizer of a run that ranks will train. Throws as `trainPairsRun`. */
export async function preparePairsRun(run: PairsRunConfiguration, options: { replace: boolean }): Promise<void> {
  describeRun(run, options);
  const { runFolder, images, tokenizer, training } = run;
  await preparePairs({ runFolder, images, vocabularySize: tokenizer.vocabularySize, resume: false }, training.seed);
}

function describeRun(run: PairsRunConfiguration, options: { replace: boolean }): void {
  const { runFolder, images, tokenizer, device, training, objective } = run;
  const places = placesOf(runFolder);
  requireNoCheckpoints(runFolder, options.replace);
  rmSync(places.checkpoints, { recursive: true, force: true });
  rmSync(places.log, { force: true });
  const { architecture, ...configuration } = run.model;
  writeRunDescription(runFolder, {
    ...{ configuration: run, device, training, objective, model: { architecture, configuration } },
    corpusKey: hashOf(canonicalJson({ images, tokenizer })),
  });
}

/** Continues the run that `description` describes, if it is a contrastive one. */
export function resumePairsRun(
  runFolder: string,
  { configuration, objective, device, training }: RunDescription,
  hooks: RunHooks<TrainPairsEvent>,
): Promise<TrainPairsOutput> | undefined {
  if (objective.kind !== "contrastive") return undefined;
  // Device and training as the description has them: what is overridden when a run is resumed stands there.
  const run = parsePairsRunConfiguration({ ...configuration, device, training }, placesOf(runFolder).description);
  return startTraining({ ...run, runFolder }, true, undefined, hooks);
}

async function startTraining(
  run: PairsRunConfiguration,
  resume: boolean,
  peakFlops: number | undefined,
  hooks: RunHooks<TrainPairsEvent>,
): Promise<TrainPairsOutput> {
  const { runFolder, images, tokenizer, device, model, training, objective } = run;
  const { architecture, ...configuration } = model;
  const record = await checkpointRecord(runFolder, { model: { architecture, configuration }, training, objective }, [
    { role: "training data", kind: "images", path: resolve(images.path) },
  ]);
  return watched(runFolder, { configuration: run, training }, hooks, (watching) =>
    runJob(
      trainPairsJob,
      {
        ...{ runFolder, images, device, training, resume, peakFlops, model: { architecture, configuration } },
        ...{ vocabularySize: tokenizer.vocabularySize, files: { ...travelling(images.path), [recordName]: record } },
      },
      watching,
    ),
  );
}

/** What a set says of its rights travels with every checkpoint. */
function travelling(path: string): Record<string, string> {
  const file = join(path, "ATTRIBUTION.md");
  return existsSync(file) ? { "ATTRIBUTION.md": readFileSync(file, "utf8") } : {};
}
