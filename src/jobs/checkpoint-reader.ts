/** A checkpoint on a backend: the model with its weights, and its tokenizer. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Backend, Engine } from "../engine/index.ts";
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

/** Reads a Hugging Face folder. Throws TilthError naming the file, key or tensor that does not fit. */
export function loadModel(folder: string, backend: Backend): LoadedModel {
  if (!existsSync(folder)) {
    throw new TilthError(`there is no checkpoint at ${folder}`, { remedy: "Give the folder of a checkpoint." });
  }
  const { architecture, configuration } = readModelConfiguration(folder);
  const tokenizer = readTokenizerJson(join(folder, "tokenizer.json"));
  const engine = new Engine(backend);
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
