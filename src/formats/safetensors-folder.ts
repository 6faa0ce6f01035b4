/** The weights of a Hugging Face folder: `model.safetensors`, or shards that `model.safetensors.index.json` names; read and written. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import { readSafetensors, type SafetensorsEntry, type SafetensorsFile, writeSafetensors } from "./safetensors.ts";
import type { TensorRecord } from "./safetensors-header.ts";

const singleName = (stem: string) => `${stem}.safetensors`;
const indexName = (stem: string) => `${stem}.safetensors.index.json`;
/** As open_clip names it. */
const openClipStem = "open_clip_model";

// A shard lies in the folder itself: an index must not lead anywhere else.
const shardFile = z.string().regex(/^[^/\\]+\.safetensors$/, "is not the name of a .safetensors file in this folder");
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), shardFile) });

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
 * otherwise, `stem` what the files' names begin with. Throws TilthError where there are none, where a file is damaged, or where
 * the index and its shards disagree, naming the tensor and the file.
 */
export function readSafetensorsFolder(
  folder: string,
  canonicalName: (name: string) => string = (name) => name,
  stem = "model",
): WeightsFolder {
  const single = [stem, ...(stem === "model" ? [openClipStem] : [])]
    .map(singleName)
    .find((name) => existsSync(join(folder, name)));
  const index = indexName(stem);
  const map = single === undefined ? readIndex(folder, stem) : undefined;
  const names = single === undefined ? [...new Set(Object.values(map ?? {}))].sort() : [single];
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

function readIndex(folder: string, stem: string): Record<string, string> {
  const [single, index] = [singleName(stem), indexName(stem)];
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

/** Tensors to write into a folder. */
export interface SafetensorsFolder {
  /** What the files' names begin with. */
  readonly stem: string;
  /** Bytes of a file beyond which the next one is begun; a tensor that is larger has a file of its own. */
  readonly shardBytes: number;
  readonly tensors: readonly { readonly name: string; readonly bytes: number }[];
  /** Called in order, so that one shard's tensors are in memory at a time. */
  entryOf(name: string, index: number): SafetensorsEntry;
}

/** Writes `<stem>.safetensors`, or shards with their index, named as transformers does. Returns the number of files. */
export function writeSafetensorsFolder(folder: string, options: SafetensorsFolder): number {
  const { stem, shardBytes, tensors, entryOf } = options;
  const shards: number[][] = [[]];
  let bytes = 0;
  tensors.forEach((tensor, index) => {
    if (bytes > 0 && bytes + tensor.bytes > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(index);
    bytes += tensor.bytes;
  });
  const map: Record<string, string> = {};
  shards.forEach((shard, number) => {
    const file = shardName(stem, number, shards.length);
    for (const index of shard) map[tensors[index].name] = file;
    const entries = shard.map((index) => entryOf(tensors[index].name, index));
    writeSafetensors(join(folder, file), entries, { format: "pt" });
  });
  if (shards.length > 1) {
    const total = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    const index = { metadata: { total_size: total }, weight_map: map };
    writeFileAtomically(join(folder, indexName(stem)), `${JSON.stringify(index, null, 2)}\n`);
  }
  return shards.length;
}

function shardName(stem: string, index: number, count: number): string {
  if (count === 1) return singleName(stem);
  const five = (value: number) => String(value).padStart(5, "0");
  return `${stem}-${five(index + 1)}-of-${five(count)}.safetensors`;
}
