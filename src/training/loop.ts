/** The training loop: batch, gradients, guard, step, log, validate, checkpoint. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { createSingleCommunicator } from "../cluster/index.ts";
import { InterruptedError, messageOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import {
  type CheckpointFiles,
  checkpointNames,
  latestCheckpoint,
  removeUnfinishedCheckpoints,
  restoreCheckpoint,
} from "./checkpoint/index.ts";
import { CheckpointKeeper } from "./checkpoint-keeper.ts";
import { hasStoppedImproving } from "./early-stop.ts";
import { FlightRecorder, putAsideFlightRecorder } from "./flight-recorder.ts";
import { LossGuard, type Verdict } from "./guard.ts";
import { RunLog, type RunRecord, type StepRecord, type ValidationRecord } from "./log.ts";
import type { GradientResult, Trainable } from "./trainable.ts";

/** What the loop needs beside the trainer. */
export interface LoopOptions<Data> {
  readonly runFolder: string;
  readonly train: Data;
  readonly validation: Data;
  /** Name of the training shard, logged with every step. */
  readonly shard?: string;
  readonly configurationHash: string;
  /** Files that travel with every checkpoint: tokenizer, model card, data report. */
  readonly files: CheckpointFiles;
  readonly resume: boolean;
  /** Whether the loss before the first step is measured too: that of the model that a run continues. */
  readonly validateAtStart?: boolean;
  /** Measured peak in FLOP/s, for MFU; null if it was not measured. */
  readonly peakFlops: number | null;
  readonly onRecord: (record: RunRecord) => void;
  readonly onWarning: (message: string) => void;
  /** What the model writes now, by prompt; called after every validation on the first rank. */
  readonly sample?: () => Promise<readonly { readonly prompt: string; readonly text: string }[]>;
  /** Asked between steps; true saves a checkpoint and leaves with InterruptedError. */
  readonly shouldStop: () => boolean;
}

/**
 * Holds the step at which a run was told to stop, once its state is saved, until it goes on. A launcher asks for it: the exit
 * codes of ranks that were told to end together say less.
 */
export function stoppedFile(runFolder: string): string {
  return join(runFolder, "stopped");
}

/**
 * Trains until `configuration.steps` and returns the path of the last checkpoint. Of several ranks the first one writes log,
 * records and checkpoints.
 */
export async function runTraining<Data>(trainer: Trainable<Data>, options: LoopOptions<Data>): Promise<string> {
  const run = new TrainingRun(trainer, options);
  try {
    const checkpoint = await run.train();
    await run.end();
    return checkpoint;
  } catch (error) {
    await run.end(error);
    throw error;
  }
}

class TrainingRun<Data> {
  private readonly ranks;
  private readonly log: RunLog;
  private readonly guard: LossGuard;
  private readonly keeper: CheckpointKeeper;
  private readonly recorder: FlightRecorder;
  private validations: ValidationRecord[] = [];
  private dataShares: number[] = [];

  constructor(
    private readonly trainer: Trainable<Data>,
    private readonly options: LoopOptions<Data>,
  ) {
    const { configuration } = trainer;
    this.ranks = trainer.ranks ?? createSingleCommunicator();
    this.log = new RunLog(options.runFolder, options.onWarning);
    this.guard = new LossGuard(configuration.guards);
    this.keeper = new CheckpointKeeper(trainer, {
      ...options,
      log: this.log,
      onSaved: (record) => this.report(record),
    });
    const { rank } = this.ranks;
    if (rank === 0) rmSync(stoppedFile(options.runFolder), { force: true });
    const before = putAsideFlightRecorder(options.runFolder, rank);
    if (before !== undefined && rank === 0) {
      options.onWarning(
        `the last process of this run ended in step ${before.step}, phase "${before.phase}", at ${before.at}; what it did last is in flight-recorder-before.jsonl`,
      );
    }
    this.recorder = new FlightRecorder(options.runFolder, rank);
    trainer.onPhase = (phase) => this.recorder.note(trainer.step + 1, phase);
  }

  async train(): Promise<string> {
    const { trainer } = this;
    const { steps, validateEvery, checkpointEvery } = trainer.configuration;
    if (this.options.resume) await this.restore();
    if (this.options.validateAtStart && trainer.step === 0) await this.validate();
    while (trainer.step < steps && !this.hasStoppedEarly()) {
      await this.leaveIfAsked();
      await this.keeper.collect();
      if (!(await this.takeStep())) continue;
      const { step } = trainer;
      const isLast = step === steps;
      if (isLast || step % validateEvery === 0) await this.validate();
      if (isLast || step % checkpointEvery === 0 || this.hasStoppedEarly()) await this.save();
    }
    return this.keeper.finish();
  }

  /** Closes what is open. After an error the flight recorder's file stays. */
  async end(error?: unknown): Promise<void> {
    const isWell = error === undefined || error instanceof InterruptedError;
    if (!isWell) this.recorder.note(this.trainer.step, "end", { message: messageOf(error).slice(0, 120) });
    this.recorder.close(!isWell);
    await this.keeper.dispose();
    this.log.close();
  }

  /** Back to the last checkpoint, or to the start. */
  private async restore(): Promise<void> {
    const { trainer, options } = this;
    const first = this.ranks.rank === 0;
    // All ranks must have looked before the first one tidies up.
    const checkpoint = await latestCheckpoint(options.runFolder, first ? options.onWarning : () => {});
    this.validations = [];
    if (checkpoint === undefined) {
      if (first) options.onWarning(`no checkpoint in ${options.runFolder}: starting from step 0`);
    } else {
      const state = await restoreCheckpoint(checkpoint, trainer, options.configurationHash);
      trainer.skippedBatches = state.skippedBatches;
      this.guard.restore(state.recentLosses);
      this.keeper.saved(trainer.step, checkpoint);
      this.validations = this.log
        .read()
        .filter((one): one is ValidationRecord => one.kind === "validation" && one.step <= trainer.step);
    }
    this.ranks.barrier();
    if (!first) return;
    removeUnfinishedCheckpoints(options.runFolder);
    // What starts from nothing measures step 0 again.
    this.log.cutAfter(checkpoint === undefined ? -1 : trainer.step);
  }

  /** A signal may reach some ranks only, or at different steps: they stop together. */
  private async leaveIfAsked(): Promise<void> {
    const { trainer, options } = this;
    if (this.ranks.sum([Number(options.shouldStop())])[0] === 0) return;
    await this.save();
    await this.keeper.finish();
    if (this.ranks.rank === 0) writeFileAtomically(stoppedFile(options.runFolder), `${trainer.step}\n`);
    throw new InterruptedError(
      `stopped after step ${trainer.step} of ${trainer.configuration.steps}; the state is saved`,
      { remedy: `Continue with: tilth train --resume ${options.runFolder}` },
    );
  }

  /** True where the step was taken. */
  private async takeStep(): Promise<boolean> {
    const { trainer, options } = this;
    const { backend } = trainer.engine;
    const started = performance.now();
    const kernelsBefore = backend.kernelSeconds();
    const gradients = await trainer.computeGradients(options.train);
    const verdict = this.guard.judge(gradients.loss, gradients.gradientNorm);
    if (verdict.action !== "accept" && !(await this.intervene(verdict))) return false;
    const update = await trainer.applyGradients();
    const seconds = (performance.now() - started) / 1000;
    const kernelSeconds = backend.kernelSeconds() - kernelsBefore;
    const { loss, gradientNorm, tokens, replayedTokens, pairs, dataSeconds } = gradients;
    const tokensPerSecond = tokens / seconds;
    const record: StepRecord = {
      ...{ kind: "step", step: trainer.step, loss, ...update, gradientNorm, tokens, tokensPerSecond },
      ...(replayedTokens === undefined ? {} : { replayedTokens }),
      ...(pairs === undefined ? {} : { pairs, pairsPerSecond: pairs / seconds }),
      mfu: options.peakFlops === null ? null : (tokensPerSecond * trainer.flopsPerToken()) / options.peakFlops,
      hostShare: kernelSeconds === 0 ? null : Math.max(0, 1 - kernelSeconds / seconds),
      dataShare: dataSeconds / seconds,
      memoryBytes: process.memoryUsage.rss(),
      ...(options.shard === undefined ? {} : { shard: options.shard }),
    };
    this.recorder.note(trainer.step, "log", { loss, gradientNorm });
    this.report(record);
    this.watchData(gradients, seconds);
    return true;
  }

  /** What the guard asks for. True where the step is taken all the same. */
  private async intervene({ action, reason }: Exclude<Verdict, { action: "accept" }>): Promise<boolean> {
    const { trainer, options } = this;
    const batch = trainer.step + 1 + trainer.skippedBatches;
    const what = `step ${trainer.step + 1}, batch ${batch}: ${reason}`;
    const note = () => this.report({ kind: "guard", step: trainer.step, batch, action, reason });
    const warn = (text: string) => {
      if (this.ranks.rank === 0) options.onWarning(text);
    };
    switch (action) {
      case "warn":
        note();
        warn(what);
        return true;
      case "skip":
        trainer.discardGradients();
        note();
        warn(`${what}; the batch is left out`);
        return false;
      case "rewind":
        trainer.optimizer.discardGradients();
        if (await this.rewind(batch)) {
          note();
          warn(`${what}; back to step ${trainer.step}, going on after that batch`);
          return false;
        }
    }
    note();
    throw new TilthError(`${what}: the run has diverged`, {
      remedy:
        "Lower training.learningRate or lengthen schedule.warmupSteps, or let guards leave such batches out: tilth train --resume <run> --set training.guards.nonFinite=rewind",
    });
  }

  /** Restores the last checkpoint and goes on with the batch after `batch`. False where there is none. */
  private async rewind(batch: number): Promise<boolean> {
    await this.keeper.settle();
    this.ranks.barrier();
    if (checkpointNames(this.options.runFolder).length === 0) return false;
    await this.restore();
    this.trainer.skippedBatches = batch - this.trainer.step;
    return true;
  }

  private async validate(): Promise<void> {
    const { trainer } = this;
    const record: ValidationRecord = {
      kind: "validation",
      step: trainer.step,
      ...(await trainer.validate(this.options.validation)),
    };
    this.validations.push(record);
    this.report(record);
    await this.showSamples();
    if (!this.hasStoppedEarly()) return;
    const bestLoss = Math.min(...this.validations.map(({ loss }) => loss));
    this.report({ kind: "early-stop", step: trainer.step, bestLoss });
  }

  private async showSamples(): Promise<void> {
    const { trainer, options } = this;
    if (options.sample === undefined || this.ranks.rank !== 0) return;
    trainer.onPhase?.("sample");
    for (const { prompt, text } of await options.sample())
      this.report({ kind: "sample", step: trainer.step, prompt, text });
  }

  private hasStoppedEarly(): boolean {
    const { earlyStop } = this.trainer.configuration;
    const losses = this.validations.map(({ loss }) => loss);
    return earlyStop !== undefined && hasStoppedImproving(losses, earlyStop);
  }

  private async save(): Promise<void> {
    const { trainer } = this;
    trainer.onPhase?.("snapshot");
    const validation = this.validations.at(-1);
    await this.keeper.save({
      step: trainer.step,
      skippedBatches: trainer.skippedBatches,
      recentLosses: [...this.guard.recent],
      validation: validation === undefined ? null : { step: validation.step, loss: validation.loss },
      configurationHash: this.options.configurationHash,
    });
  }

  /** Warns where the last steps mostly waited for data. */
  private watchData({ dataSeconds }: GradientResult, seconds: number): void {
    this.dataShares.push(dataSeconds / seconds);
    if (this.dataShares.length < 20) return;
    const share = this.dataShares.reduce((sum, one) => sum + one, 0) / this.dataShares.length;
    this.dataShares = [];
    if (share <= this.trainer.configuration.guards.dataStallShare || this.ranks.rank !== 0) return;
    this.options.onWarning(
      `the last 20 steps spent ${(share * 100).toFixed(0)} % of their time waiting for data: the storage or the decoding is too slow`,
    );
  }

  private report(record: RunRecord): void {
    if (this.ranks.rank !== 0) return;
    this.log.append(record);
    this.options.onRecord(record);
  }
}
