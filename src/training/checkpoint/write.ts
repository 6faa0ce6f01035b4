/** A snapshot becomes a checkpoint on the disk: whole or not at all, `latest` last, then older ones go. */
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { basename, join } from "node:path";
import { type SafetensorsEntry, writeSafetensorsFolder } from "../../formats/index.ts";
import { publishFolder, writeFileAtomically } from "../../foundation/index.ts";
import { transposed } from "../../models/index.ts";
import { writeChecksums } from "./integrity.ts";
import { checkpointPath, checkpointsFolder, stateFolder } from "./places.ts";
import { pruneCheckpoints } from "./retention.ts";
import type { Snapshot, StoredTensor } from "./snapshot.ts";

/** Writes the checkpoint and returns its path. On any error nothing has changed but what a reader passes over. */
export async function writeSnapshot(snapshot: Snapshot): Promise<string> {
  const { runFolder, state } = snapshot;
  const path = checkpointPath(runFolder, state.step);
  for (const file of snapshot.before) syncToDisk(file);
  await publishFolder(path, async (temporary) => {
    writeTensors(temporary, snapshot);
    for (const [name, content] of Object.entries(snapshot.files)) writeFileAtomically(join(temporary, name), content);
    writeFileAtomically(join(temporary, stateFolder, "state.json"), `${JSON.stringify(state, null, 2)}\n`);
    await writeChecksums(temporary);
  });
  writeFileAtomically(join(checkpointsFolder(runFolder), "latest"), `${basename(path)}\n`);
  pruneCheckpoints(runFolder, snapshot.retention, state.step);
  return path;
}

function writeTensors(folder: string, { numbers, tensorFiles, shardBytes }: Snapshot): void {
  const entryOf = ({ name, shape, start, transposed: isTransposed }: StoredTensor): SafetensorsEntry => {
    const data = new Float32Array(numbers, start * 4, elements(shape));
    return { name, shape, type: "F32", data: isTransposed ? transposed(data, [...shape].reverse()) : data };
  };
  for (const { folder: below, stem, tensors } of tensorFiles) {
    writeSafetensorsFolder(join(folder, below), {
      stem,
      shardBytes,
      tensors: tensors.map((tensor) => ({ name: tensor.name, bytes: 4 * elements(tensor.shape) })),
      entryOf: (_name, index) => entryOf(tensors[index]),
    });
  }
}

const elements = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

function syncToDisk(file: string): void {
  if (!existsSync(file)) return;
  const descriptor = openSync(file, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
