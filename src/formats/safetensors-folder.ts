/** The weights of a Hugging Face folder: `model.safetensors`, or shards that `model.safetensors.index.json` names. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TilthError } from "../foundation/index.ts";
import { readSafetensors, type SafetensorsEntry, type SafetensorsFile } from "./safetensors.ts";
import type { TensorRecord } from "./safetensors-header.ts";

const single = "model.safetensors";
const index = "model.safetensors.index.json";

// A shard lies in the folder itself: an index must not lead anywhere else.
const shardName = z.string().regex(/^[^/\\]+\.safetensors$/, "is not the name of a .safetensors file in this folder");
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), shardName) });

/** Open weights of a folder. */
export interface WeightsFolder {
  /** Tensor names: in the order of the header, shard by shard. */
  readonly names: readonly string[];
  /** Names of the files that hold them, relative to the folder. */
  readonly files: readonly string[];
  has(name: string): boolean;
  /** The file that holds a tensor, for messages. */
  fileOf(name: string): string;
  record(name: string): TensorRecord;
  raw(name: string): SafetensorsEntry;
  floats(name: string): { shape: number[]; data: Float32Array };
  close(): void;
}

/**
 * Opens the weights of a folder; `canonicalName` says under which name a tensor is known here, where files may name it
 * otherwise. Throws TilthError where there are none, where a file is damaged, or where the index and its shards disagree,
 * naming the tensor and the file.
 */
export function readSafetensorsFolder(
  folder: string,
  canonicalName: (name: string) => string = (name) => name,
): WeightsFolder {
  const map = existsSync(join(folder, single)) ? undefined : readIndex(folder);
  const names = map === undefined ? [single] : [...new Set(Object.values(map))].sort();
  const files = new Map<string, SafetensorsFile>();
  const close = () => {
    for (const file of files.values()) file.close();
  };
  try {
    for (const name of names) files.set(name, readSafetensors(join(folder, name)));
    const places = new Map<string, { readonly file: SafetensorsFile; readonly name: string }>();
    for (const [name, file] of files) {
      for (const tensor of file.names) {
        if (map !== undefined && map[tensor] !== name) {
          throw new TilthError(
            `${file.path} holds the tensor "${tensor}", which ${index} places in ${map[tensor] ?? "no file"}`,
          );
        }
        const known = canonicalName(tensor);
        const other = places.get(known);
        if (other !== undefined) {
          throw new TilthError(
            `${file.path} holds "${tensor}", and ${other.file.path} the same one as "${other.name}"`,
          );
        }
        places.set(known, { file, name: tensor });
      }
    }
    for (const [tensor, name] of Object.entries(map ?? {})) {
      if (!places.has(canonicalName(tensor)))
        throw new TilthError(`${join(folder, name)} has no tensor "${tensor}", as ${index} says`);
    }
    const placeOf = (tensor: string) => {
      const place = places.get(tensor);
      if (place === undefined) throw new TilthError(`${folder} has no tensor "${tensor}"`);
      return place;
    };
    const read = <Result>(tensor: string, how: (file: SafetensorsFile, name: string) => Result): Result => {
      const { file, name } = placeOf(tensor);
      return how(file, name);
    };
    return {
      names: [...places.keys()],
      files: names,
      has: (tensor) => places.has(tensor),
      fileOf: (tensor) => placeOf(tensor).file.path,
      record: (tensor) => read(tensor, (file, name) => file.record(name)),
      raw: (tensor) => read(tensor, (file, name) => file.raw(name)),
      floats: (tensor) => read(tensor, (file, name) => file.floats(name)),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function readIndex(folder: string): Record<string, string> {
  const path = join(folder, index);
  if (!existsSync(path)) {
    throw new TilthError(`${folder} has neither ${single} nor ${index}: there are no weights that Tilth reads`, {
      remedy: existsSync(join(folder, "pytorch_model.bin"))
        ? "Its pytorch_model.bin may run code when it is opened; convert it to safetensors with transformers first."
        : "Give the folder of a checkpoint.",
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new TilthError(`${path} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TilthError(`${path}: "${issue.path.join(".")}": ${issue.message}`);
  }
  return parsed.data.weight_map;
}
