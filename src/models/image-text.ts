/** What the contrastive objective, its checkpoints and its evaluation need of a model with an image and a text tower. */
import type { z } from "zod";
import type { Engine, Parameter, ParameterArena, ParameterSpecification, Variable } from "../engine/index.ts";
import type { ImageBatch } from "./encoder.ts";
import type { WeightMapping } from "./model.ts";

/** Texts of equal length, one after the other; the shorter ones are padded at the end. */
export interface TextBatch {
  readonly sequences: number;
  /** Tokens of one text, at most the model's context. */
  readonly length: number;
  /** [sequences · length] */
  readonly tokens: Int32Array;
}

/** A model with two towers on a backend. Embeddings are of unit length. */
export interface ImageTextModel<Configuration = unknown> {
  readonly architecture: ImageTextArchitecture<Configuration>;
  readonly configuration: Configuration;
  readonly arena: ParameterArena;
  /** [images, embeddingWidth] */
  embedImages(engine: Engine, batch: ImageBatch): Variable;
  /** The vision tower's last states before any norm, [images · tokens, width], the class token first, where it has one. */
  imageStates?(engine: Engine, batch: ImageBatch): Variable;
  /** [texts, embeddingWidth] */
  embedTexts(engine: Engine, batch: TextBatch): Variable;
  /** [1]: the log of the factor on cosines. */
  readonly logitScale: Parameter;
  /** [1]: with one the loss is SigLIP's, else CLIP's. */
  readonly logitBias?: Parameter;
  dispose(): void;
}

/** How texts become tokens of a model: where they end and what fills them up. */
export interface TextForm {
  readonly context: number;
  readonly vocabularySize: number;
  readonly endOfText: number;
  /** Whether every text is padded to the whole context (SigLIP), or only to the longest of its batch. */
  readonly padToContext: boolean;
}

/** Sizes for planning and telemetry. */
export interface ImageTextDimensions {
  readonly parameters: number;
  readonly embeddingWidth: number;
  readonly imageSize: number;
  /** Of the vision tower. */
  readonly imageWidth: number;
  /** Tokens of an image: its patches, and the class token where there is one. */
  readonly imageTokens: number;
  readonly imagePatches: number;
  readonly text: TextForm;
  /**
   * Forward and backward FLOPs of a pair whose text has that many tokens, and whose image shows that many patches (all if left
   * out): 6 · parameters · tokens + attention, tower by tower.
   */
  trainingFlopsPerPair(textLength: number, patches?: number): number;
}

/** An architecture with two towers; the fields are those of `Architecture`. */
export interface ImageTextArchitecture<Configuration> {
  readonly name: string;
  readonly huggingFaceClass: string;
  readonly schema: z.ZodType<Configuration>;
  parameters(configuration: Configuration): ParameterSpecification[];
  create(engine: Engine, configuration: Configuration): ImageTextModel<Configuration>;
  weights(configuration: Configuration): WeightMapping[];
  isRedundant?(name: string, configuration: Configuration): boolean;
  canonicalName?(name: string): string;
  toHuggingFace(configuration: Configuration): Record<string, unknown>;
  /** Throws TilthError naming the key that is unknown to Tilth or inconsistent. */
  fromHuggingFace(config: Readonly<Record<string, unknown>>): Configuration;
  dimensions(configuration: Configuration): ImageTextDimensions;
}

/** Forward and backward FLOPs of one tower on that many tokens. */
export function towerFlops(sizes: { width: number; layers: number; mlpWidth: number }, tokens: number): number {
  const perToken = sizes.layers * (4 * sizes.width ** 2 + 2 * sizes.width * sizes.mlpWidth);
  return 6 * perToken * tokens + 12 * sizes.layers * sizes.width * tokens ** 2;
}
