/** A checkpoint on a backend: the model with its weights, and its tokenizer. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ArenaUse, type Backend, Engine } from "../engine/index.ts";
import { readSafetensorsFolder } from "../formats/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { readTokenizerJson, type Tokenizer } from "../tokenizer/index.ts";
import { loadWeights, readModelConfiguration } from "../training/index.ts";

/** A model ready to be evaluated or to generate. */
export interface LoadedModel {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
}

/**
 * How weights are held: f32, bf16, or as the checkpoint stores them: bf16 where all its matrices are; `training`: f32 with
 * gradients.
 */
export type WeightsInMemory = "f32" | "bf16" | "stored" | "training";

/**
 * Reads a Hugging Face folder. Throws TilthError naming the file, key or tensor that does not fit. Where the
 * backend holds no bf16 weights they are f32, which changes no value that was stored in bf16.
 */
export function loadModel(folder: string, backend: Backend, weights: WeightsInMemory = "f32"): LoadedModel {
  if (!existsSync(folder)) {
    throw new TilthError(`there is no checkpoint at ${folder}`, { remedy: "Give the folder of a checkpoint." });
  }
  const { architecture, configuration } = readModelConfiguration(folder);
  const tokenizer = readTokenizerJson(join(folder, "tokenizer.json"));
  const engine = new Engine(backend, { use: useOf(folder, backend, weights) });
  const model = architecture.create(engine, configuration);
  const { vocabularySize } = architecture.dimensions(configuration);
  if (tokenizer.vocabularySize > vocabularySize) {
    throw new TilthError(
      `${folder}: tokenizer.json has ${tokenizer.vocabularySize} tokens, the model's embedding ${vocabularySize}`,
    );
  }
  loadWeights(folder, model);
  return { engine, model, tokenizer };
}

function useOf(folder: string, backend: Backend, weights: WeightsInMemory): ArenaUse {
  if (weights === "training") return "training";
  const wanted = weights === "bf16" || (weights === "stored" && isStoredInBfloat16(folder));
  return { matrices: wanted && backend.storesBfloat16 ? "bf16" : "f32" };
}

/** Whether all matrices of a Hugging Face folder are stored in bf16. Throws TilthError where there are none. */
export function isStoredInBfloat16(folder: string): boolean {
  const weights = readSafetensorsFolder(folder);
  try {
    return weights.names.every((name) => {
      const { type, shape } = weights.record(name);
      return shape.length < 2 || type === "BF16";
    });
  } finally {
    weights.close();
  }
}
