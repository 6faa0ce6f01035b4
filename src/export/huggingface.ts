/** A checkpoint as a Hugging Face folder of another element type, in one file or in shards. */
import { join } from "node:path";
import {
  brainHalvesOf,
  halvesOf,
  type SafetensorsEntry,
  type SafetensorsType,
  writeSafetensorsFolder,
} from "../formats/index.ts";
import { type ProgressListener, publishFolder, writeFileAtomically } from "../foundation/index.ts";
import { readHuggingFaceConfiguration } from "../training/index.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { copySidecars } from "./sidecars.ts";

/** The names of types that users type, with transformers' names. */
export const huggingFaceTypes = {
  f32: { type: "F32", torch: "float32" },
  f16: { type: "F16", torch: "float16" },
  bf16: { type: "BF16", torch: "bfloat16" },
} as const satisfies Record<string, { type: SafetensorsType; torch: string }>;

/** What was written. */
export interface HuggingFaceExport {
  readonly path: string;
  readonly tensors: number;
  readonly shards: number;
}

/**
 * Writes a folder that transformers loads: weights as `type`, everything else but the training state copied. Above
 * `shardBytes` the weights are split at tensors, as transformers does, with `model.safetensors.index.json`.
 */
export async function exportHuggingFace(
  { folder, architecture, configuration, weights }: Checkpoint,
  path: string,
  options: {
    readonly type: keyof typeof huggingFaceTypes;
    readonly shardBytes: number;
    readonly onProgress?: ProgressListener;
  },
): Promise<HuggingFaceExport> {
  const { type, torch } = huggingFaceTypes[options.type];
  const names = architecture.weights(configuration).map(({ name }) => name);
  const elementBytes = type === "F32" ? 4 : 2;
  const bytesOf = (name: string) => weights.record(name).shape.reduce((a, b) => a * b, 1) * elementBytes;
  let [done, shards] = [0, 0];
  const entryOf = (name: string): SafetensorsEntry => {
    const { shape, data } = weights.floats(name);
    options.onProgress?.({ stage: "writing", done: ++done, total: names.length, unit: "tensors" });
    return { name, shape, type, data: type === "F32" ? data : type === "F16" ? halvesOf(data) : brainHalvesOf(data) };
  };
  await publishFolder(path, (temporary) => {
    copySidecars(folder, temporary);
    const { torch_dtype: _old, ...config } = readHuggingFaceConfiguration(folder);
    writeFileAtomically(join(temporary, "config.json"), `${JSON.stringify({ ...config, dtype: torch }, null, 2)}\n`);
    shards = writeSafetensorsFolder(temporary, {
      stem: "model",
      shardBytes: options.shardBytes,
      tensors: names.map((name) => ({ name, bytes: bytesOf(name) })),
      entryOf,
    });
  });
  return { path, tensors: names.length, shards };
}
