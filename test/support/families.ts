/** A small model of every architecture, with random weights that leave no bias and no norm at its start. */
import { type Backend, Engine } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import {
  architectureNamed,
  clip,
  type ImageTextModel,
  type LanguageModel,
  siglip,
  type VitModel,
  vit,
} from "../../src/models/index.ts";
import { type StoredModel, writeModel } from "../../src/training/index.ts";

const decoder = { vocabularySize: 131, width: 32, layers: 2, attentionHeads: 4, mlpWidth: 64, context: 64 };
const encoder = { vocabularySize: 131, width: 32, layers: 2, attentionHeads: 4, mlpWidth: 64, context: 40 };
const tower = { layers: 2, attentionHeads: 4, mlpWidth: 64 };
const images = { imageSize: 24, patchSize: 8 };

/** Configurations by a name of the case; `architecture` where that is another. */
export const textFamilies: Readonly<Record<string, { architecture?: string; configuration: object }>> = {
  llama: { configuration: { ...decoder, keyValueHeads: 2, tiedEmbeddings: false } },
  "llama with scaled rope": {
    architecture: "llama",
    configuration: {
      ...decoder,
      ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 16 },
    },
  },
  qwen2: { configuration: { ...decoder, keyValueHeads: 2, tiedEmbeddings: true } },
  qwen3: { configuration: { ...decoder, keyValueHeads: 1, headSize: 16, tiedEmbeddings: true } },
  mistral: { configuration: { ...decoder, keyValueHeads: 2, slidingWindow: 7, tiedEmbeddings: false } },
  gpt2: { configuration: decoder },
  bert: { configuration: { ...encoder, nextSentence: true } },
  roberta: { configuration: encoder },
  modernbert: { configuration: { ...encoder, localAttention: 8, layers: 4 } },
  "modernbert with SiLU": {
    architecture: "modernbert",
    configuration: { ...encoder, localAttention: 8, layers: 4, activation: "silu" },
  },
};

export const imageTextConfigurations: Readonly<Record<"clip" | "siglip", object>> = {
  clip: {
    ...{ vocabularySize: 131, context: 20, endOfText: 130, embeddingWidth: 24, activation: "quick-gelu" },
    ...{ text: { ...tower, width: 32 }, vision: { ...tower, ...images, width: 48 } },
  },
  siglip: {
    ...{ vocabularySize: 131, context: 12, endOfText: 1, width: 32 },
    ...{ text: tower, vision: { ...tower, ...images } },
  },
};

export const vitConfigurationOfTests = { ...tower, ...images, width: 32, classes: 5 };

function writeRandomWeights(model: StoredModel, seed: number): void {
  const random = new Random(seed);
  model.arena.initialize(seed);
  for (const { name, tensor } of model.arena.parameters.values()) {
    const isNorm = /norm(\.weight)?$/i.test(name);
    const size = tensor.shape.length > 1 ? 0.15 : 0.2;
    const count = tensor.shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, () => (isNorm ? 1 : 0) + size * random.normal());
    model.arena.backend.write(tensor, data);
  }
}

async function written<Model extends StoredModel>(folder: string, model: Model, files = {}): Promise<Model> {
  writeRandomWeights(model, 7);
  await writeModel(folder, model, files);
  return model;
}

/** Writes a folder with a text model; `files` lie beside its weights. */
export function writeTextFamily(
  folder: string,
  backend: Backend,
  { name, configuration }: { readonly name: string; readonly configuration: object },
  files: Readonly<Record<string, string>> = {},
): Promise<LanguageModel> {
  const architecture = architectureNamed(name);
  const model = architecture.create(new Engine(backend), architecture.schema.parse(configuration));
  return written(folder, model, files);
}

/** Writes a folder with a model of two towers. */
export function writeImageTextFamily(
  folder: string,
  backend: Backend,
  name: "clip" | "siglip",
): Promise<ImageTextModel> {
  const engine = new Engine(backend);
  const configuration = imageTextConfigurations[name];
  const model =
    name === "clip"
      ? (clip.create(engine, clip.schema.parse(configuration)) as unknown as ImageTextModel)
      : (siglip.create(engine, siglip.schema.parse(configuration)) as unknown as ImageTextModel);
  return written(folder, model);
}

/** Writes a folder with a ViT. */
export async function writeVit(folder: string, backend: Backend): Promise<VitModel> {
  const model = vit.create(new Engine(backend), vit.schema.parse(vitConfigurationOfTests));
  await written(folder, model as unknown as StoredModel);
  return model;
}
