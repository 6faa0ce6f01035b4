/** A checkpoint that turns texts, and pictures where it has two towers, into vectors. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "../engine/index.ts";
import { type Pooling, representationsOf } from "../evaluation/index.ts";
import { canonicalJson, hashFile, hashOf, TilthError, UsageError } from "../foundation/index.ts";
import { ImageLoader, type ImageTextPair } from "../images/index.ts";
import { imageTextArchitectureNamed } from "../models/index.ts";
import { embedPairs } from "../objectives/index.ts";
import { PairStream, readHuggingFaceConfiguration, textBatchOf } from "../training/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { loadImageTextModel } from "./image-text-model.ts";

/** Vectors of length 1; close it when done. */
export interface Embedder {
  readonly width: number;
  /** Absent for two towers, which pool in their own way. */
  readonly pooling: Pooling | null;
  /** [texts, width] */
  texts(texts: readonly string[]): Promise<Float32Array>;
  /** Vectors of the pictures that can be decoded, with their pairs. Absent where the model sees none. */
  images?(
    pairs: readonly ImageTextPair[],
  ): Promise<{ readonly vectors: Float32Array; readonly pairs: readonly ImageTextPair[] }>;
  close(): Promise<void>;
}

/** Whether a Hugging Face folder holds a model of pictures and texts. */
export function hasTwoTowers(folder: string): boolean {
  const { model_type: type } = readHuggingFaceConfiguration(folder);
  return typeof type === "string" && imageTextArchitectureNamed(type) !== undefined;
}

/** Opens a checkpoint. The backend stays the caller's. */
export function openEmbedder(checkpoint: string, backend: Backend, pooling: Pooling): Embedder {
  if (!hasTwoTowers(checkpoint)) {
    const { engine, model, tokenizer } = loadModel(checkpoint, backend);
    return {
      width: model.architecture.dimensions(model.configuration).width,
      pooling,
      async texts(texts) {
        const options = { pooling, normalize: true };
        const tokens = tokenizer.encodeBatch(texts);
        return (await representationsOf(engine, model, tokens, tokenizer.endOfText, options)).vectors;
      },
      async close() {},
    };
  }
  const { engine, model, text, images } = loadImageTextModel(checkpoint, backend, { matrices: "f32" });
  const loader = new ImageLoader(images);
  return {
    width: model.architecture.dimensions(model.configuration).embeddingWidth,
    pooling: null,
    texts: (texts) =>
      engine.scope({ record: false }, () =>
        engine.backend.read(model.embedTexts(engine, textBatchOf(texts, text)).tensor),
      ),
    async images(pairs) {
      const stream = new PairStream(pairs, loader, images.size, text);
      const whole = await stream.wholeBatch(pairs.length);
      if (whole.pairs.length === 0) return { vectors: new Float32Array(), pairs: [] };
      const embedded = await embedPairs(engine, model, whole.batch, pairs.length);
      return { vectors: embedded.images, pairs: whole.pairs };
    },
    close: () => loader.close(),
  };
}

/** SHA-256 over what decides a checkpoint's vectors: weights, configuration, tokenizer. */
export async function modelDigest(folder: string): Promise<string> {
  const names = readdirSync(folder).filter((name) => /\.safetensors$|^(config|tokenizer)\.json$/.test(name));
  if (names.length === 0) {
    throw new TilthError(`${folder} holds no model`, { remedy: "Give the folder of a checkpoint." });
  }
  const sums = await Promise.all(names.sort().map(async (name) => [name, await hashFile(join(folder, name))]));
  return hashOf(canonicalJson(sums));
}

/** Throws UsageError unless the checkpoint is the one that made the vectors. */
export async function requireSameModel(
  checkpoint: string,
  made: { readonly model: string; readonly checkpoint: string },
) {
  if ((await modelDigest(checkpoint)) === made.model) return;
  throw new UsageError(`the vectors were made by another model than ${checkpoint}`, {
    remedy: `They are of ${made.checkpoint}: give that with --model, or embed again with this one.`,
  });
}
