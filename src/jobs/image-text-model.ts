/** A checkpoint with an image and a text tower, ready to embed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ArenaUse, type Backend, Engine } from "../engine/index.ts";
import { TilthError } from "../foundation/index.ts";
import { fromPreprocessorConfig, type ImageSettings, imageSettings } from "../images/index.ts";
import type { ImageTextModel } from "../models/index.ts";
import { readTokenizerJson, type Tokenizer } from "../tokenizer/index.ts";
import { loadWeights, type PairText, readImageTextConfiguration } from "../training/index.ts";

/** A model with all that turns files and sentences into its input. */
export interface LoadedImageTextModel {
  readonly engine: Engine;
  readonly model: ImageTextModel;
  readonly text: PairText;
  readonly images: ImageSettings;
}

/** Captions as the contrastive objective reads them: lower case, as CLIP's, through byte-level BPE. */
export function pairTextOf(model: ImageTextModel, tokenizer: Tokenizer): PairText {
  const { text: form } = model.architecture.dimensions(model.configuration);
  return { form, encode: (caption) => tokenizer.encode(caption.toLowerCase()) };
}

/** Reads a Hugging Face folder; `use`: whether its weights get gradients. Throws TilthError naming the file, key or tensor that does not fit. */
export function loadImageTextModel(folder: string, backend: Backend, use: ArenaUse = "training"): LoadedImageTextModel {
  if (!existsSync(folder)) {
    throw new TilthError(`there is no checkpoint at ${folder}`, { remedy: "Give the folder of a checkpoint." });
  }
  const { architecture, configuration } = readImageTextConfiguration(folder);
  const tokenizer = readTokenizerJson(join(folder, "tokenizer.json"));
  const engine = new Engine(backend, { use });
  const model = architecture.create(engine, configuration);
  loadWeights(folder, model);
  const { imageSize } = architecture.dimensions(configuration);
  const file = join(folder, "preprocessor_config.json");
  const images = existsSync(file)
    ? fromPreprocessorConfig(JSON.parse(readFileSync(file, "utf8")), file)
    : imageSettings.parse({ size: imageSize });
  if (images.size !== imageSize) {
    throw new TilthError(`${file}: images of ${images.size} pixels for a model of ${imageSize}`);
  }
  return { engine, model, text: pairTextOf(model, tokenizer), images };
}
