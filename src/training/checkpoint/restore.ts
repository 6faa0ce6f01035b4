/** A checkpoint read back into a trainer, bit for bit. */
import { join } from "node:path";
import { tensorOver } from "../../engine/index.ts";
import { readSafetensorsFolder } from "../../formats/index.ts";
import { TilthError } from "../../foundation/index.ts";
import { loadWeights } from "../huggingface-folder.ts";
import { averagedFolder, stateFolder } from "./places.ts";
import type { TrainingState } from "./snapshot.ts";
import { type RunState, readState } from "./state.ts";

/** Restores a trainer from a checkpoint of the same configuration, on any number of ranks, and returns the rest of its state. */
export async function restoreCheckpoint(
  path: string,
  trainer: TrainingState,
  configurationHash: string,
): Promise<RunState> {
  const state = readState(path);
  if (state.configurationHash !== configurationHash) {
    throw new TilthError(`${path} was trained with another configuration; resuming would not continue the same run`, {
      remedy: "Use the configuration in the run's folder, or start a new run in another folder.",
    });
  }
  loadWeights(path, trainer.model);
  if (trainer.average !== undefined) {
    loadWeights(join(path, averagedFolder), trainer.model, trainer.average.values);
  }
  restoreOptimizer(join(path, stateFolder), trainer);
  trainer.optimizer.step = state.step;
  return state;
}

function restoreOptimizer(folder: string, { engine, optimizer }: TrainingState): void {
  const file = readSafetensorsFolder(folder, undefined, "optimizer");
  try {
    for (const [name, { length, parts }] of Object.entries(optimizer.state())) {
      const { data } = file.floats(name);
      if (data.length !== length) {
        throw new TilthError(`${folder}: ${name} has ${data.length} elements instead of ${length}`);
      }
      for (const { start, length: count, tensor } of parts) {
        if (tensor === undefined) continue;
        engine.backend.write(
          tensorOver(tensor.storage, [count], "f32", tensor.offset),
          data.subarray(start, start + count),
        );
      }
    }
  } finally {
    file.close();
  }
}
