/** What one rank of a run takes on this machine: passes, update, memory, checkpoint. What a cluster's forecast begins from. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { folderBytes, quantile } from "../foundation/index.ts";
import { architectureNamed } from "../models/index.ts";
import { chooseObjective } from "../objectives/index.ts";
import {
  CheckpointWriter,
  checkpointPath,
  forecastStep,
  randomTokenSource,
  SnapshotMemory,
  Trainer,
  takeSnapshot,
  trainingConfiguration,
} from "../training/index.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

/** The run whose steps are timed. */
export interface MeasureRankInput {
  readonly device: DeviceOptions;
  readonly model: { readonly architecture: string; readonly configuration: unknown };
  readonly training: unknown;
  readonly objective: { readonly kind: string };
  /** Where a checkpoint is written and removed again: the disk that the run's will lie on. */
  readonly folder: string;
  /** Seconds to spend on timing steps; at least three are taken. */
  readonly seconds: number;
}

/** As the planner's RankFigures has it. */
export interface MeasureRankOutput {
  readonly device: string;
  readonly parameters: number;
  readonly threads: number;
  readonly sequenceLength: number;
  readonly batchSequences: number;
  readonly microBatchSequences: number;
  readonly microBatchSeconds: number;
  readonly updateSeconds: number;
  readonly memoryBytes: number;
  readonly optimizerBytes: number;
  readonly checkpointBytes: number;
  readonly checkpointPauseSeconds: number;
  readonly checkpointWriteSeconds: number;
}

export const measureRankJob: Job<MeasureRankInput, { warning: string }, MeasureRankOutput> = {
  name: "measure-rank",
  async run(input, { emit }) {
    const backend = await openDevice(input.device, (warning) => emit({ warning }));
    const training = trainingConfiguration.parse(input.training);
    const { sequenceLength, batchSequences, microBatchSequences, documentMask } = training;
    const architecture = architectureNamed(input.model.architecture);
    const chosen = chooseObjective(input.objective, sequenceLength);
    const trainer = new Trainer(backend, architecture, input.model.configuration, training, chosen.objective);
    try {
      const { parameters, vocabularySize } = architecture.dimensions(input.model.configuration);
      const source = randomTokenSource(vocabularySize, sequenceLength, chosen.specialTokens);
      const sequences = Array.from({ length: microBatchSequences }, (_, index) => index);
      const batch = chosen.objective.draw(source, sequences, { sequenceLength, documentMask }, [1]);
      const [passes, updates]: number[][] = [[], []];
      let reduced = 0;
      trainer.onPhase = (phase) => {
        if (phase === "reduce") reduced = performance.now();
      };
      const started = performance.now();
      // The first step takes memory from the system; it is not counted.
      for (let step = 0; step < 4 || performance.now() - started < input.seconds * 1000; step++) {
        const begun = performance.now();
        await trainer.takeStepOn([batch]);
        if (step === 0) continue;
        passes.push((reduced - begun) / 1000);
        updates.push((performance.now() - reduced) / 1000);
      }
      const memoryBytes = process.memoryUsage.rss();
      const { stateBytes } = await forecastStep(
        architecture,
        input.model.configuration,
        training,
        { precision: backend.precision, peakFlops: 1, memoryBytesPerSecond: 1 },
        chosen,
      );
      return {
        ...{ device: backend.description, parameters, threads: backend.threads },
        ...{ sequenceLength, batchSequences, microBatchSequences, memoryBytes },
        ...{ microBatchSeconds: quantile(passes, 0.5), updateSeconds: quantile(updates, 0.5) },
        // Weights and gradients are the other two.
        optimizerBytes: stateBytes - 8 * parameters,
        ...(await measureCheckpoint(trainer, input.folder)),
      };
    } finally {
      trainer.dispose();
      backend.dispose();
    }
  },
};

async function measureCheckpoint(trainer: Trainer, parent: string) {
  mkdirSync(parent, { recursive: true });
  const runFolder = mkdtempSync(join(parent, ".tilth-measure-"));
  const writer = new CheckpointWriter();
  try {
    const memory = new SnapshotMemory();
    const take = async () => {
      const state = {
        step: trainer.step,
        skippedBatches: 0,
        recentLosses: [],
        validation: null,
        configurationHash: "",
      };
      const retention = { keepCheckpoints: 1, keepBestCheckpoints: 0 };
      const started = performance.now();
      const snapshot = await takeSnapshot(
        trainer,
        { runFolder, state, files: {}, before: [], retention, shardBytes: trainer.configuration.checkpointShardBytes },
        memory,
      );
      writer.begin(snapshot!);
      const checkpointPauseSeconds = (performance.now() - started) / 1000;
      const written = await writer.finish();
      if (written === undefined || "error" in written) throw written?.error ?? new Error("no checkpoint was written");
      return { checkpointPauseSeconds, checkpointWriteSeconds: written.seconds };
    };
    // The first takes the memory of the copy from the system; later ones have it.
    await take();
    const measured = await take();
    return { ...measured, checkpointBytes: folderBytes(checkpointPath(runFolder, trainer.step)) };
  } finally {
    await writer.dispose();
    rmSync(runFolder, { recursive: true, force: true });
  }
}
