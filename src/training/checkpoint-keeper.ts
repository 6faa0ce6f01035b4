/** A run's checkpoints as its loop sees them: taken at a step boundary, written beside the steps, failures survived. */
import { createSingleCommunicator } from "../cluster/index.ts";
import { messageOf, TilthError } from "../foundation/index.ts";
import {
  type CheckpointFiles,
  CheckpointWriter,
  checkpointPath,
  type RunState,
  SnapshotMemory,
  takeSnapshot,
  type Written,
} from "./checkpoint/index.ts";
import type { CheckpointRecord, RunLog } from "./log.ts";
import type { Trainable } from "./trainable.ts";

/** What the keeper needs of the run. */
export interface KeeperOptions {
  readonly runFolder: string;
  readonly files: CheckpointFiles;
  readonly log: RunLog;
  readonly onSaved: (record: CheckpointRecord) => void;
  readonly onWarning: (message: string) => void;
}

/** The checkpoints of one run. All ranks call the same functions; the first one writes. */
export class CheckpointKeeper {
  private readonly memory = new SnapshotMemory();
  private readonly writer = new CheckpointWriter();
  private readonly ranks;
  /** The last good checkpoint. */
  last: { readonly step: number; readonly path: string } | undefined;
  private pauseSeconds = 0;
  private failure: Error | undefined;

  constructor(
    private readonly trainer: Trainable<never>,
    private readonly options: KeeperOptions,
  ) {
    this.ranks = trainer.ranks ?? createSingleCommunicator();
  }

  /** A checkpoint that is there already. */
  saved(step: number, path: string): void {
    this.last = { step, path };
  }

  /** Takes a checkpoint of the state and starts to write it, once the one before is done; nothing where this step has one. */
  async save(state: RunState): Promise<void> {
    const { trainer, options } = this;
    await this.settle();
    // The first rank decides for all: the others do not see whether it could write.
    const isMissing = this.ranks.rank === 0 && this.last?.step !== state.step;
    if (this.ranks.sum([Number(isMissing)])[0] === 0) return;
    const started = performance.now();
    const { keepCheckpoints, keepCheckpointsEvery, keepBestCheckpoints, checkpointShardBytes } = trainer.configuration;
    const snapshot = await takeSnapshot(
      trainer,
      {
        runFolder: options.runFolder,
        state,
        files: options.files,
        before: [options.log.path],
        retention: { keepCheckpoints, keepCheckpointsEvery, keepBestCheckpoints },
        shardBytes: checkpointShardBytes,
      },
      this.memory,
    );
    this.pauseSeconds = (performance.now() - started) / 1000;
    if (snapshot === undefined) this.last = { step: state.step, path: checkpointPath(options.runFolder, state.step) };
    else this.writer.begin(snapshot);
  }

  /** Tells of a checkpoint that was finished since the last call. */
  async collect(): Promise<void> {
    this.take(await this.writer.collect());
  }

  /** Waits for the checkpoint that is being written. */
  async settle(): Promise<void> {
    this.take(await this.writer.finish());
  }

  /** The path of the last checkpoint, once it is on the disk. Throws why where the last one could not be written. */
  async finish(): Promise<string> {
    await this.settle();
    const failed = this.ranks.sum([Number(this.failure !== undefined)])[0] > 0;
    if (failed) throw this.failure ?? new TilthError("the first rank could not write the last checkpoint");
    if (this.last === undefined) throw new TilthError("the run has no step to take: training.steps is reached");
    return this.last.path;
  }

  async dispose(): Promise<void> {
    await this.writer.dispose();
  }

  private take(written: Written | undefined): void {
    if (written === undefined) return;
    const { step } = written;
    if ("error" in written) {
      this.failure = written.error;
      const kept = this.last === undefined ? "there is none yet" : `the last good one is of step ${this.last.step}`;
      this.options.onWarning(
        `the checkpoint of step ${step} could not be written: ${messageOf(written.error)}; training goes on, ${kept}`,
      );
      return;
    }
    this.failure = undefined;
    const { path, seconds: writeSeconds } = written;
    this.last = { step, path };
    this.options.onSaved({ kind: "checkpoint", step, path, pauseSeconds: this.pauseSeconds, writeSeconds });
  }
}
