/** Runs: from a configuration to a checkpoint, and on from where one was stopped. */
import { resolve } from "node:path";
import { isPairsRun, loadRun, resolveRun, type WrittenRun } from "../config/index.ts";
import { type Progress, packageVersion } from "../foundation/index.ts";
import {
  buildRunCorpus,
  resumeRun,
  type TrainEvent,
  type TrainPairsEvent,
  tokenizeRun,
  trainPairsRun,
  trainRun,
} from "../jobs/index.ts";
import { type StartOptions, startWork, type Work } from "./work.ts";

/** What happens in a run: progress of its corpus and shards, then steps, validations, samples and checkpoints as records. */
export type RunEvent = { readonly kind: "progress"; readonly progress: Progress } | TrainEvent | TrainPairsEvent;

/** The end of a run. */
export interface RunResult {
  readonly runFolder: string;
  /** Folder of the last checkpoint, in Hugging Face's layout. */
  readonly checkpoint: string;
  readonly steps: number;
}

/** What a run is started with beside its configuration. */
export interface TrainOptions extends StartOptions {
  /** Replaces the checkpoints of an earlier run in the run's folder; otherwise they are an error. */
  readonly replace?: boolean;
  /** Overrides as the command line's `--set`: `training.steps=500`. For a configuration file. */
  readonly set?: readonly string[];
}

/**
 * Trains as `tilth train` does: corpus, tokenizer, shards, training; each stage that is there already is reused.
 * @param configuration a file (TypeScript, JavaScript, YAML or JSON), or what `defineRun` takes; relative paths start at the
 *   file's folder, or at the current one
 * @throws UsageError for a setting that is unknown or not valid, TilthError for what the user can mend, InterruptedError where
 *   it was stopped: its state is saved, and `resume` goes on
 */
export function train(configuration: string | WrittenRun, options: TrainOptions = {}): Work<RunEvent, RunResult> {
  return startWork(async ({ onEvent, signal }) => {
    const run =
      typeof configuration === "string"
        ? await loadRun(configuration, options.set)
        : await resolveRun(structuredClone(configuration), process.cwd(), `the run of Tilth ${packageVersion()}`);
    const { runFolder } = run;
    const replace = options.replace ?? false;
    if (isPairsRun(run)) {
      const { checkpoint, steps } = await trainPairsRun(run, { replace }, { onEvent, signal });
      return { runFolder, checkpoint, steps };
    }
    const hooks = { onEvent: (progress: Progress) => onEvent({ kind: "progress", progress }), signal };
    const corpus = await buildRunCorpus(run, hooks);
    const shards = await tokenizeRun(run, corpus, hooks);
    const { checkpoint, steps } = await trainRun(run, { corpus, shards }, { replace }, { onEvent, signal });
    return { runFolder, checkpoint, steps };
  }, options);
}

/**
 * Continues a run bit for bit from its last undamaged checkpoint, as `tilth train --resume` does.
 * @throws TilthError where the folder is no run
 */
export function resume(
  runFolder: string,
  options: StartOptions & Pick<TrainOptions, "set"> = {},
): Work<RunEvent, RunResult> {
  return startWork(async ({ onEvent, signal }) => {
    const folder = resolve(runFolder);
    const { checkpoint, steps } = await resumeRun(folder, { onEvent, signal }, options.set);
    return { runFolder: folder, checkpoint, steps };
  }, options);
}
