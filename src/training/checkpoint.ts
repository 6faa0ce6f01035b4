/**
 * A checkpoint is a Hugging Face folder plus `training-state/`. It appears whole or not at all, carries a checksum of
 * every file, and `latest` names it only once it is complete.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { z } from "zod";
import { elementCount, type Tensor } from "../engine/index.ts";
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from "../formats/index.ts";
import { hashFile, publishFolder, removeLeftovers, TilthError, writeFileAtomically } from "../foundation/index.ts";
import { mappedTensor, transposed } from "../models/index.ts";
import { loadWeights } from "./huggingface-folder.ts";
import type { StoredModel, Trainable } from "./trainable.ts";

const stateSchema = z.strictObject({
  step: z.number().int().nonnegative(),
  /** Of the configuration that decides the numbers: a resumed run must have the same. */
  configurationHash: z.string(),
});

/** What else goes into a checkpoint's folder: name relative to it, and content. */
export type CheckpointFiles = Readonly<Record<string, string | Uint8Array>>;

/** What of a trainer a checkpoint holds. */
export type TrainingState = Pick<Trainable<never>, "engine" | "model" | "optimizer" | "step">;

/** Where checkpoints of a run are. */
export function checkpointsFolder(runFolder: string): string {
  return join(runFolder, "checkpoints");
}

/** The folder of a step's checkpoint. */
export function checkpointPath(runFolder: string, step: number): string {
  return join(checkpointsFolder(runFolder), `step-${String(step).padStart(7, "0")}`);
}

/** Writes the trainer's state as checkpoint `step-N`, moves `latest` to it and removes checkpoints beyond `keep`. */
export async function saveCheckpoint(
  runFolder: string,
  trainer: TrainingState,
  options: { configurationHash: string; files: CheckpointFiles; keep: number },
): Promise<string> {
  const folder = checkpointsFolder(runFolder);
  const path = checkpointPath(runFolder, trainer.step);
  const name = basename(path);
  await publishFolder(path, async (temporary) => {
    await writeModel(temporary, trainer.model, options.files);
    const { backend } = trainer.engine;
    const moments = Object.entries(trainer.optimizer.state());
    const entries: SafetensorsEntry[] = [];
    for (const [label, tensor] of moments) entries.push(await entryOf(backend, label, tensor));
    writeSafetensors(join(temporary, "training-state", "optimizer.safetensors"), entries);
    const state: z.infer<typeof stateSchema> = { step: trainer.step, configurationHash: options.configurationHash };
    writeFileAtomically(join(temporary, "training-state", "state.json"), `${JSON.stringify(state, null, 2)}\n`);
    await writeChecksums(temporary);
  });
  writeFileAtomically(join(folder, "latest"), `${name}\n`);
  for (const old of checkpointNames(folder).slice(0, -options.keep)) {
    if (old !== name) rmSync(join(folder, old), { recursive: true, force: true });
  }
  return path;
}

/** Writes weights, configuration and `files` of a model as a Hugging Face folder (which must exist or be creatable). */
export async function writeModel(folder: string, model: StoredModel, files: CheckpointFiles): Promise<void> {
  const { architecture, arena, configuration } = model;
  const entries: SafetensorsEntry[] = [];
  for (const mapping of architecture.weights(configuration)) {
    const { name, shape } = mapping;
    const tensor = mappedTensor(arena, mapping);
    const ours = await arena.backend.read(tensor);
    entries.push({ name, shape, type: "F32", data: mapping.transposed ? transposed(ours, tensor.shape) : ours });
  }
  writeSafetensors(join(folder, "model.safetensors"), entries, { format: "pt" });
  const config = architecture.toHuggingFace(configuration);
  writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  for (const [name, content] of Object.entries(files)) writeFileAtomically(join(folder, name), content);
}

async function entryOf(
  backend: StoredModel["arena"]["backend"],
  name: string,
  tensor: Tensor,
): Promise<SafetensorsEntry> {
  return { name, shape: tensor.shape, type: "F32", data: await backend.read(tensor) };
}

/** Restores a trainer from a checkpoint of the same configuration, bit for bit. */
export async function restoreCheckpoint(
  path: string,
  trainer: TrainingState,
  configurationHash: string,
): Promise<void> {
  const state = parseState(path);
  if (state.configurationHash !== configurationHash) {
    throw new TilthError(`${path} was trained with another configuration; resuming would not continue the same run`, {
      remedy: "Use the configuration in the run's folder, or start a new run in another folder.",
    });
  }
  loadWeights(path, trainer.model);
  const optimizer = readSafetensors(join(path, "training-state", "optimizer.safetensors"));
  try {
    for (const [name, tensor] of Object.entries(trainer.optimizer.state())) {
      const { data } = optimizer.floats(name);
      if (data.length !== elementCount(tensor)) {
        throw new TilthError(`${path}: ${name} has ${data.length} elements instead of ${elementCount(tensor)}`);
      }
      trainer.engine.backend.write(tensor, data);
    }
  } finally {
    optimizer.close();
  }
  trainer.optimizer.step = state.step;
}

function parseState(path: string): z.infer<typeof stateSchema> {
  const file = join(path, "training-state", "state.json");
  if (!existsSync(file)) {
    throw new TilthError(`${path} has no training-state/: it is a finished model, not a run that can be resumed`, {
      remedy: "Resume from a checkpoint in the run's checkpoints/ folder.",
    });
  }
  return stateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
}

const checksumFile = "checksums.json";

async function writeChecksums(folder: string): Promise<void> {
  const sums: Record<string, string> = {};
  for (const file of filesBelow(folder)) sums[relative(folder, file)] = await hashFile(file);
  writeFileAtomically(join(folder, checksumFile), `${JSON.stringify(sums, null, 2)}\n`);
}

/** Throws TilthError naming the first file that is missing or differs from its checksum. */
export async function verifyCheckpoint(path: string): Promise<void> {
  const file = join(path, checksumFile);
  let sums: Record<string, string>;
  try {
    sums = z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TilthError(`checkpoint ${path} is damaged: ${checksumFile} cannot be read`, { cause });
  }
  for (const [name, expected] of Object.entries(sums)) {
    const part = join(path, name);
    if (!existsSync(part)) throw new TilthError(`checkpoint ${path} is damaged: ${name} is missing`);
    const actual = await hashFile(part);
    if (actual !== expected) {
      throw new TilthError(
        `checkpoint ${path} is damaged: ${name} has checksum ${actual.slice(0, 8)}… instead of ${expected.slice(0, 8)}…`,
      );
    }
  }
}

/**
 * The newest undamaged checkpoint of a run, or undefined where there is none. A damaged one is reported to `warn` and
 * the one before it taken. Leftovers of a crashed writer are removed.
 */
export async function latestCheckpoint(
  runFolder: string,
  warn: (message: string) => void,
): Promise<string | undefined> {
  const folder = checkpointsFolder(runFolder);
  if (!existsSync(folder)) return undefined;
  removeLeftovers(folder);
  for (const name of checkpointNames(folder).reverse()) {
    const path = join(folder, name);
    try {
      await verifyCheckpoint(path);
      return path;
    } catch (error) {
      if (!(error instanceof TilthError)) throw error;
      warn(`${error.message}; taking the one before it`);
    }
  }
  return undefined;
}

function checkpointNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^step-\d+$/.test(name))
    .sort();
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .filter((path) => basename(path) !== checksumFile)
    .sort();
}
