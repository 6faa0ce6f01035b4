/** The training loop: batch, forward, backward, step, log, validate, checkpoint. */
import { createSingleCommunicator } from "../cluster/index.ts";
import { InterruptedError, TilthError } from "../foundation/index.ts";
import {
  type CheckpointFiles,
  checkpointPath,
  latestCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
} from "./checkpoint.ts";
import { RunLog, type RunRecord } from "./log.ts";
import type { Trainable } from "./trainable.ts";

/** What the loop needs beside the trainer. */
export interface LoopOptions<Data> {
  readonly runFolder: string;
  readonly train: Data;
  readonly validation: Data;
  readonly configurationHash: string;
  /** Files that travel with every checkpoint: tokenizer, model card, data report. */
  readonly files: CheckpointFiles;
  readonly resume: boolean;
  /** Measured peak in FLOP/s, for MFU; null if it was not measured. */
  readonly peakFlops: number | null;
  readonly onRecord: (record: RunRecord) => void;
  readonly onWarning: (message: string) => void;
  /** Asked between steps; true saves a checkpoint and leaves with InterruptedError. */
  readonly shouldStop: () => boolean;
}

/**
 * Trains until `configuration.steps` and returns the path of the last checkpoint. Of several ranks the first one writes: log,
 * records and checkpoints, while the others wait.
 */
export async function runTraining<Data>(trainer: Trainable<Data>, options: LoopOptions<Data>): Promise<string> {
  const { configuration, ranks = createSingleCommunicator() } = trainer;
  const first = ranks.rank === 0;
  const log = new RunLog(options.runFolder);
  const report = (record: RunRecord) => {
    if (!first) return;
    log.append(record);
    options.onRecord(record);
  };
  let checkpoint = await start(trainer, options, log, first);
  ranks.barrier();
  let saved = trainer.step;
  const save = async () => {
    const { configurationHash, files } = options;
    const path = checkpointPath(options.runFolder, trainer.step);
    const { keepCheckpoints: keep } = configuration;
    if (first) await saveCheckpoint(options.runFolder, trainer, { configurationHash, files, keep });
    ranks.barrier();
    checkpoint = path;
    saved = trainer.step;
    report({ kind: "checkpoint", step: trainer.step, path });
  };

  while (trainer.step < configuration.steps) {
    // A signal may reach some ranks only, or at different steps: they stop together.
    if (ranks.sum([Number(options.shouldStop())])[0] > 0) {
      if (trainer.step > saved) await save();
      throw new InterruptedError(`stopped after step ${trainer.step} of ${configuration.steps}; the state is saved`, {
        remedy: `Continue with: tilth train --resume ${options.runFolder}`,
      });
    }
    report(await measuredStep(trainer, options));
    const { step } = trainer;
    const last = step === configuration.steps;
    if (last || step % configuration.validateEvery === 0) {
      report({ kind: "validation", step, ...(await trainer.validate(options.validation)) });
    }
    if (last || step % configuration.checkpointEvery === 0) await save();
  }
  if (checkpoint === undefined) throw new TilthError("the run has no step to take: training.steps is reached");
  return checkpoint;
}

async function start<Data>(
  trainer: Trainable<Data>,
  options: LoopOptions<Data>,
  log: RunLog,
  first: boolean,
): Promise<string | undefined> {
  if (!options.resume) return undefined;
  const checkpoint = await latestCheckpoint(options.runFolder, options.onWarning);
  if (checkpoint === undefined) options.onWarning(`no checkpoint in ${options.runFolder}: starting from step 0`);
  else await restoreCheckpoint(checkpoint, trainer, options.configurationHash);
  if (first) log.cutAfter(trainer.step);
  return checkpoint;
}

async function measuredStep<Data>(trainer: Trainable<Data>, options: LoopOptions<Data>): Promise<RunRecord> {
  const { backend } = trainer.engine;
  const started = performance.now();
  const kernelsBefore = backend.kernelSeconds();
  const { loss, learningRate, gradientNorm, tokens, pairs } = await trainer.takeStep(options.train);
  if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
    throw new TilthError(
      `the loss of step ${trainer.step} is ${loss} (gradient norm ${gradientNorm}): the run has diverged`,
      {
        remedy: "Lower training.learningRate or lengthen schedule.warmupSteps, then --resume from the last checkpoint.",
      },
    );
  }
  const seconds = (performance.now() - started) / 1000;
  const kernelSeconds = backend.kernelSeconds() - kernelsBefore;
  const tokensPerSecond = tokens / seconds;
  return {
    kind: "step",
    step: trainer.step,
    loss,
    learningRate,
    gradientNorm,
    tokens,
    tokensPerSecond,
    ...(pairs === undefined ? {} : { pairs, pairsPerSecond: pairs / seconds }),
    mfu: options.peakFlops === null ? null : (tokensPerSecond * trainer.flopsPerToken()) / options.peakFlops,
    hostShare: kernelSeconds === 0 ? null : Math.max(0, 1 - kernelSeconds / seconds),
  };
}
