/** A checkpoint as a folder of another element type that transformers or open_clip loads, in one file or in shards. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  brainHalvesOf,
  halvesOf,
  type SafetensorsEntry,
  type SafetensorsType,
  writeSafetensorsFolder,
} from "../formats/index.ts";
import { type ProgressListener, publishFolder, TilthError, writeFileAtomically } from "../foundation/index.ts";
import {
  type ClipConfiguration,
  clip,
  openClipWeights,
  type StoredArchitecture,
  toOpenClip,
  type WeightMapping,
} from "../models/index.ts";
import { type Checkpoint, huggingFaceFields } from "./checkpoint.ts";
import { mappedValues, parameterSource } from "./parameters.ts";
import { copySidecars } from "./sidecars.ts";

/** The names of types that users type, with transformers' names. */
export const huggingFaceTypes = {
  f32: { type: "F32", torch: "float32" },
  f16: { type: "F16", torch: "float16" },
  bf16: { type: "BF16", torch: "bfloat16" },
} as const satisfies Record<string, { type: SafetensorsType; torch: string }>;

const three = z.array(z.number()).length(3);
const preprocessorSchema = z.looseObject({ image_mean: three, image_std: three });

/** What was written. */
export interface HuggingFaceExport {
  readonly path: string;
  readonly tensors: number;
  readonly shards: number;
}

export interface HuggingFaceOptions {
  readonly type: keyof typeof huggingFaceTypes;
  readonly shardBytes: number;
  readonly onProgress?: ProgressListener;
}

/**
 * Writes a folder that transformers loads: weights as `type`, everything else but the training state copied. Above
 * `shardBytes` the weights are split at tensors, as transformers does, with `model.safetensors.index.json`.
 */
export async function exportHuggingFace(
  checkpoint: Checkpoint,
  path: string,
  options: HuggingFaceOptions,
): Promise<HuggingFaceExport> {
  const { architecture, configuration } = checkpoint;
  // What open_clip wrote gets transformers' names.
  const form = architecture.name === clip.name ? (clip as unknown as StoredArchitecture) : architecture;
  const { torch_dtype: _old, ...fields } = huggingFaceFields(checkpoint);
  const config = { ...fields, dtype: huggingFaceTypes[options.type].torch };
  const description = { stem: "model", configurationFile: "config.json", config };
  return writeFolder(checkpoint, path, form.weights(configuration), options, description);
}

/** Writes a CLIP as a folder that open_clip loads (`local-dir:`). Throws TilthError for what its plain towers do not have. */
export async function exportOpenClip(
  checkpoint: Checkpoint,
  path: string,
  options: Omit<HuggingFaceOptions, "shardBytes">,
): Promise<HuggingFaceExport> {
  if (checkpoint.architecture.name !== clip.name) {
    throw new TilthError(
      `${checkpoint.architecture.huggingFaceClass} is no CLIP, which is all that open_clip's form holds`,
    );
  }
  const configuration = checkpoint.configuration as ClipConfiguration;
  const config = { model_cfg: toOpenClip(configuration), preprocess_cfg: preprocessing(checkpoint.folder) };
  const whole = { ...options, shardBytes: Number.POSITIVE_INFINITY };
  const description = { stem: "open_clip_model", configurationFile: "open_clip_config.json", config };
  return writeFolder(checkpoint, path, openClipWeights(configuration), whole, description);
}

/** What `preprocessor_config.json` says, as open_clip says it; nothing where it is missing: OpenAI's values. */
function preprocessing(folder: string): object {
  const file = join(folder, "preprocessor_config.json");
  if (!existsSync(file)) return {};
  const parsed = preprocessorSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new TilthError(`${file}: image_mean and image_std are not three numbers each`);
  const { image_mean: mean, image_std: std } = parsed.data;
  return { mean, std, interpolation: "bicubic", resize_mode: "shortest" };
}

async function writeFolder(
  checkpoint: Checkpoint,
  path: string,
  mappings: readonly WeightMapping[],
  options: HuggingFaceOptions,
  { stem, configurationFile, config }: { stem: string; configurationFile: string; config: object },
): Promise<HuggingFaceExport> {
  const { type } = huggingFaceTypes[options.type];
  const elementBytes = type === "F32" ? 4 : 2;
  const source = parameterSource(checkpoint);
  let [done, shards] = [0, 0];
  const entryOf = (name: string, index: number): SafetensorsEntry => {
    const data = mappedValues(source, mappings[index]);
    options.onProgress?.({ stage: "writing", done: ++done, total: mappings.length, unit: "tensors" });
    const { shape } = mappings[index];
    return { name, shape, type, data: type === "F32" ? data : type === "F16" ? halvesOf(data) : brainHalvesOf(data) };
  };
  await publishFolder(path, (temporary) => {
    copySidecars(checkpoint.folder, temporary);
    writeFileAtomically(join(temporary, configurationFile), `${JSON.stringify(config, null, 2)}\n`);
    shards = writeSafetensorsFolder(temporary, {
      ...{ stem, shardBytes: options.shardBytes, entryOf },
      tensors: mappings.map(({ name, shape }) => ({ name, bytes: shape.reduce((a, b) => a * b, 1) * elementBytes })),
    });
  });
  return { path, tensors: mappings.length, shards };
}
