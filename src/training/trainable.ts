/** What the loop and the checkpoints need of a trainer, whatever its objective. */
import type { Communicator } from "../cluster/index.ts";
import type { Engine, Optimizer, ParameterArena } from "../engine/index.ts";
import type { StoredArchitecture } from "../models/index.ts";
import type { TrainingConfiguration } from "./configuration.ts";

/** A model as a checkpoint sees it: its parameters, and their names and configuration in a Hugging Face folder. */
export interface StoredModel {
  readonly architecture: Pick<
    StoredArchitecture,
    "huggingFaceClass" | "weights" | "toHuggingFace" | "isRedundant" | "canonicalName"
  >;
  readonly configuration: unknown;
  readonly arena: ParameterArena;
}

/** What one step reports. */
export interface StepResult {
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokens: number;
  /** Image-text pairs, for the contrastive objective. */
  readonly pairs?: number;
}

/** What a validation pass reports. `metrics` are named for people. */
export interface ValidationResult {
  readonly loss: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** A model with its optimizer. `Data` is what training and validation batches come from. */
export interface Trainable<Data> {
  readonly engine: Engine;
  readonly model: StoredModel;
  readonly optimizer: Optimizer;
  readonly configuration: Pick<
    TrainingConfiguration,
    "steps" | "validateEvery" | "checkpointEvery" | "keepCheckpoints"
  >;
  /** The ranks that train together; this process alone if left out. */
  readonly ranks?: Communicator;
  /** Optimizer steps taken. */
  readonly step: number;
  /** Takes the next step on the batch that (seed, step) names. */
  takeStep(data: Data): Promise<StepResult>;
  validate(data: Data): Promise<ValidationResult>;
  /** FLOPs of one token of training, forward and backward: what MFU counts. */
  flopsPerToken(): number;
}
