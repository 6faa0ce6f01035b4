/** A run's state copied out of the engine at a step boundary: plain data in shared memory that a worker can write. */
import type { Communicator } from "../../cluster/index.ts";
import { type Backend, elementCount, type StatePart, type Tensor, tensorOver } from "../../engine/index.ts";
import { mappedTensor } from "../../models/index.ts";
import type { StoredModel, Trainable } from "../trainable.ts";
import { modelConfigurationJson } from "../write-model.ts";
import { averagedFolder, stateFolder } from "./places.ts";
import type { RetentionPolicy } from "./retention.ts";
import type { RunState } from "./state.ts";

/**
 * What else goes into a checkpoint's folder: name relative to it, and content. Of `config.json` the keys that the
 * architecture does not state itself, e.g. the ids of special tokens.
 */
export type CheckpointFiles = Readonly<Record<string, string | Uint8Array>>;

/** What of a trainer a checkpoint holds. */
export type TrainingState = Pick<Trainable<never>, "engine" | "model" | "optimizer" | "step" | "average" | "ranks">;

/** A tensor of the snapshot: f32 numbers from element `start` of its memory. */
export interface StoredTensor {
  readonly name: string;
  /** As the file has it; where `transposed`, the numbers lie the other way round. */
  readonly shape: readonly number[];
  readonly transposed: boolean;
  readonly start: number;
}

/** Tensors that make up `<folder>/<stem>.safetensors`, or its shards. */
export interface StoredFile {
  readonly folder: string;
  readonly stem: string;
  readonly tensors: readonly StoredTensor[];
}

/** All of a checkpoint, ready to be written by any thread. */
export interface Snapshot {
  readonly runFolder: string;
  readonly state: RunState;
  readonly numbers: SharedArrayBuffer;
  readonly tensorFiles: readonly StoredFile[];
  /** Further files: path relative to the checkpoint, and content. */
  readonly files: CheckpointFiles;
  /** Files of the run that must be on the disk before the checkpoint is: its log. */
  readonly before: readonly string[];
  readonly retention: RetentionPolicy;
  readonly shardBytes: number;
}

/** The memory of snapshots, used again by the next one. */
export class SnapshotMemory {
  private buffer = new SharedArrayBuffer(0);

  of(elements: number): SharedArrayBuffer {
    if (this.buffer.byteLength !== elements * 4) this.buffer = new SharedArrayBuffer(elements * 4);
    return this.buffer;
  }
}

const pieceElements = 1 << 21;

/**
 * Copies the state of a trainer; the step after it may begin as soon as this returns. All ranks call it, the first one gets
 * the snapshot: the others only hand it their part of the optimizer's state.
 */
export async function takeSnapshot(
  trainer: TrainingState,
  rest: Omit<Snapshot, "numbers" | "tensorFiles">,
  memory: SnapshotMemory,
): Promise<Snapshot | undefined> {
  const { model, optimizer, average, ranks } = trainer;
  const { backend } = trainer.engine;
  const plan = new SnapshotPlan();
  const files: StoredFile[] = [
    { folder: "", stem: "model", tensors: plan.weights(model, model.arena.valueArena()) },
    { folder: stateFolder, stem: "optimizer", tensors: plan.optimizer(optimizer.state()) },
  ];
  if (average !== undefined) {
    files.push({ folder: averagedFolder, stem: "model", tensors: plan.weights(model, average.values) });
  }
  const first = ranks === undefined || ranks.rank === 0;
  const buffer = first ? memory.of(plan.elements) : new SharedArrayBuffer(0);
  const numbers = new Float32Array(buffer);
  for (const part of plan.parts) await copyPart(backend, ranks, part, numbers);
  if (!first) return undefined;
  return {
    ...rest,
    numbers: buffer,
    tensorFiles: files,
    files: withModelFiles(rest.files, model, average !== undefined),
  };
}

class SnapshotPlan {
  elements = 0;
  /** Stretches of the snapshot and the tensors that fill them, where this rank holds them. */
  readonly parts: StatePart[] = [];

  weights(model: StoredModel, values: Tensor): StoredTensor[] {
    return model.architecture.weights(model.configuration).map((mapping) => {
      const tensor = { ...mappedTensor(model.arena, mapping), storage: values.storage };
      const length = elementCount(tensor);
      const start = this.add(length);
      this.parts.push({ tensor, start, length, owner: undefined });
      return { name: mapping.name, shape: mapping.shape, transposed: mapping.transposed ?? false, start };
    });
  }

  optimizer(state: ReturnType<TrainingState["optimizer"]["state"]>): StoredTensor[] {
    return Object.entries(state).map(([name, { length, parts }]) => {
      const start = this.add(length);
      for (const part of parts) this.parts.push({ ...part, start: start + part.start });
      return { name, shape: [length], transposed: false, start };
    });
  }

  private add(elements: number): number {
    this.elements += elements;
    return this.elements - elements;
  }
}

/** In pieces: a copy as large as an arena would stay with the collector for long. */
async function copyPart(
  backend: Backend,
  ranks: Communicator | undefined,
  { tensor, start, length, owner }: StatePart,
  numbers: Float32Array,
): Promise<void> {
  const isElsewhere = owner !== undefined && owner !== 0;
  const passing =
    isElsewhere && tensor === undefined ? backend.allocate(4 * Math.min(pieceElements, length)) : undefined;
  try {
    for (let done = 0; done < length; done += pieceElements) {
      const count = Math.min(pieceElements, length - done);
      const piece =
        tensor === undefined
          ? passing && tensorOver(passing, [count])
          : tensorOver(tensor.storage, [count], "f32", tensor.offset + done);
      if (piece === undefined) continue;
      if (isElsewhere) await ranks?.broadcast(backend, piece, owner);
      if (numbers.length > 0) numbers.set(await backend.read(piece), start + done);
    }
  } finally {
    if (passing !== undefined) backend.release(passing);
  }
}

function withModelFiles(files: CheckpointFiles, model: StoredModel, averaged: boolean): CheckpointFiles {
  const all: CheckpointFiles = { ...files, "config.json": modelConfigurationJson(model, files) };
  if (!averaged) return all;
  const again = Object.entries(all).map(([name, content]) => [`${averagedFolder}/${name}`, content]);
  return { ...all, ...Object.fromEntries(again) };
}
