/** A Hugging Face folder read: what its `config.json` states, and its weights, checked against that. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Tensor } from "../engine/index.ts";
import { readSafetensorsFolder, type WeightsFolder } from "../formats/index.ts";
import { messageOf, TilthError } from "../foundation/index.ts";
import {
  architectureOfHuggingFace,
  clip,
  fromOpenClip,
  type ImageTextArchitecture,
  imageTextArchitectureNames,
  imageTextArchitectureOf,
  mappedTensor,
  openClip,
  type StoredArchitecture,
  storedArchitectureOf,
  transposed,
} from "../models/index.ts";
import type { StoredModel } from "./trainable.ts";

/** The fields of a folder's `config.json`. Throws TilthError where it is missing or no JSON object. */
export function readHuggingFaceConfiguration(folder: string): Readonly<Record<string, unknown>> {
  const file = join(folder, "config.json");
  if (!existsSync(file)) {
    throw new TilthError(`${folder} has no config.json: it is not a checkpoint`, {
      remedy: "Give the folder that holds model.safetensors, config.json and tokenizer.json.",
    });
  }
  return readJsonObject(file);
}

function readJsonObject(file: string): Readonly<Record<string, unknown>> {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new TilthError(`${file} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  if (config === null || typeof config !== "object" || Array.isArray(config)) {
    throw new TilthError(`${file} does not hold a JSON object`);
  }
  return config as Readonly<Record<string, unknown>>;
}

/** The architecture and configuration that a Hugging Face folder's `config.json` states. */
export function readModelConfiguration(folder: string) {
  return readConfiguration(folder, architectureOfHuggingFace);
}

/** As `readModelConfiguration`, for a model of any kind that Tilth reads; open_clip's own folders are among them. */
export function readStoredConfiguration(folder: string): {
  readonly architecture: StoredArchitecture;
  readonly configuration: unknown;
} {
  return readOpenClip(folder) ?? readConfiguration(folder, storedArchitectureOf);
}

const openClipFile = "open_clip_config.json";

/** What a folder of open_clip holds, or undefined for another one. */
function readOpenClip(folder: string) {
  const file = join(folder, openClipFile);
  if (existsSync(join(folder, "config.json")) || !existsSync(file)) return undefined;
  const { model_cfg } = readJsonObject(file);
  const architecture = openClip as unknown as ImageTextArchitecture<unknown>;
  return { architecture, configuration: fromOpenClip(model_cfg) as unknown };
}

function readConfiguration<Found extends { fromHuggingFace(config: Readonly<Record<string, unknown>>): unknown }>(
  folder: string,
  find: (config: Readonly<Record<string, unknown>>) => Found,
): { readonly architecture: Found; readonly configuration: unknown } {
  const fields = readHuggingFaceConfiguration(folder);
  const architecture = find(fields);
  try {
    return { architecture, configuration: architecture.fromHuggingFace(fields) };
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw cause;
    const [{ path, message }] = cause.issues;
    throw new TilthError(`${join(folder, "config.json")} does not fit together: ${[...path, message].join(": ")}`, {
      cause,
    });
  }
}

/** As `readModelConfiguration`, for a model with an image and a text tower. */
export function readImageTextConfiguration(folder: string): {
  architecture: ImageTextArchitecture<unknown>;
  configuration: unknown;
} {
  const own = readOpenClip(folder);
  if (own !== undefined) return { ...own, architecture: clip as unknown as ImageTextArchitecture<unknown> };
  return readConfiguration(folder, (fields) => {
    const architecture = imageTextArchitectureOf(fields);
    if (architecture !== undefined) return architecture;
    const type = String(fields.model_type);
    throw new TilthError(`${folder} holds no model of images and texts: its model_type is "${type}"`, {
      remedy: `Give a checkpoint of ${imageTextArchitectureNames.join(" or ")}.`,
    });
  });
}

/** What some writers store beside the weights, what follows from the configuration, and classification heads. */
const ignoredNames = /rotary_emb\.inv_freq$|embeddings\.position_ids$|^(score|classifier)\.|^bert\.pooler\./;

/**
 * Opens the weights of a folder. Throws TilthError naming the tensor that is missing, unknown to the architecture, of
 * another shape, or of a type that is no float.
 */
export function openModelWeights(
  folder: string,
  architecture: StoredModel["architecture"],
  configuration: unknown,
): WeightsFolder {
  const mappings = architecture.weights(configuration);
  const canonical = architecture.canonicalName?.bind(architecture);
  const weights = readSafetensorsFolder(folder, canonical);
  try {
    const expected = new Set(mappings.map((mapping) => mapping.name));
    for (const mapping of mappings) {
      if (!weights.has(mapping.name)) throw new TilthError(`${folder}: the tensor "${mapping.name}" is missing`);
      const { shape, type } = weights.record(mapping.name);
      const what = `${weights.fileOf(mapping.name)}: ${mapping.name}`;
      if (shape.join() !== mapping.shape.join()) {
        throw new TilthError(
          `${what} has shape [${shape.join(", ")}] instead of [${mapping.shape.join(", ")}], which config.json states`,
        );
      }
      if (type !== "F32" && type !== "F16" && type !== "BF16") {
        throw new TilthError(`${what} is of type ${type}; F32, F16 or BF16 was expected`);
      }
    }
    for (const name of weights.names) {
      if (expected.has(name) || ignoredNames.test(name) || architecture.isRedundant?.(name, configuration)) continue;
      if (name === "lm_head.weight")
        requireTied(weights, mappings.find(({ parameter }) => parameter === "embedding")?.name);
      else {
        throw new TilthError(
          `${weights.fileOf(name)}: the tensor "${name}" is unknown to ${architecture.huggingFaceClass}`,
        );
      }
    }
    return weights;
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** Some writers store the tied head beside the embedding: it must then be the same. */
function requireTied(weights: WeightsFolder, embedding: string | undefined): void {
  if (embedding === undefined) return;
  const [head, table] = [weights.raw("lm_head.weight").data, weights.raw(embedding).data];
  const bytes = (data: typeof head) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!bytes(head).equals(bytes(table))) {
    throw new TilthError(
      `${weights.fileOf("lm_head.weight")}: lm_head.weight differs from ${embedding}, but config.json says tie_word_embeddings`,
      { remedy: 'If the head is its own, set "tie_word_embeddings" to false in config.json.' },
    );
  }
}

/**
 * Copies the weights of a Hugging Face folder into a model; every tensor must be there, in its shape, and none more.
 * @param values an arena laid out as the model's to fill instead of it
 */
export function loadWeights(folder: string, model: StoredModel, values?: Tensor): void {
  const architecture = readOpenClip(folder)?.architecture ?? model.architecture;
  const weights = openModelWeights(folder, architecture, model.configuration);
  try {
    for (const mapping of architecture.weights(model.configuration)) {
      const { data } = weights.floats(mapping.name);
      const ours = mapping.transposed ? transposed(data, mapping.shape) : data;
      const tensor = mappedTensor(model.arena, mapping);
      model.arena.backend.write(values === undefined ? tensor : { ...tensor, storage: values.storage }, ours);
    }
  } finally {
    weights.close();
  }
}
