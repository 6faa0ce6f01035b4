/** What the loop and the checkpoints need of a trainer, whatever its objective. */
import type { Communicator } from "../cluster/index.ts";
import type { Engine, Optimizer, ParameterArena } from "../engine/index.ts";
import type { StoredArchitecture } from "../models/index.ts";
import type { TrainingConfiguration, upkeepSettings } from "./configuration.ts";
import type { Phase } from "./flight-recorder.ts";
import type { WeightAverage } from "./weight-average.ts";

/** A model as a checkpoint sees it: its parameters, and their names and configuration in a Hugging Face folder. */
export interface StoredModel {
  readonly architecture: Pick<
    StoredArchitecture,
    "huggingFaceClass" | "weights" | "toHuggingFace" | "isRedundant" | "canonicalName"
  >;
  readonly configuration: unknown;
  readonly arena: ParameterArena;
}

/** What the gradients of a batch tell before they are used. */
export interface GradientResult {
  readonly loss: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokens: number;
  /** Of which replayed general text. */
  readonly replayedTokens?: number;
  /** Image-text pairs, for the contrastive objective. */
  readonly pairs?: number;
  /** Seconds that the step waited for its batch. */
  readonly dataSeconds: number;
}

/** What the use of the gradients tells. */
export interface UpdateResult {
  readonly learningRate: number;
  /** ‖update‖ / ‖weights‖, at the steps where it is measured. */
  readonly updateRatio?: number;
}

/** What one step reports. */
export type StepResult = GradientResult & UpdateResult;

/** What a validation pass reports. `metrics` are named for people. */
export interface ValidationResult {
  readonly loss: number;
  /** The loss of the averaged weights, where an average is kept. */
  readonly averagedLoss?: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** A model with its optimizer. `Data` is what training and validation batches come from. */
export interface Trainable<Data> {
  readonly engine: Engine;
  readonly model: StoredModel;
  readonly optimizer: Optimizer;
  /** The average of the weights, where one is kept. */
  readonly average?: WeightAverage;
  readonly configuration: Pick<TrainingConfiguration, "steps" | keyof typeof upkeepSettings>;
  /** The ranks that train together; this process alone if left out. */
  readonly ranks?: Communicator;
  /** Optimizer steps taken. */
  readonly step: number;
  /** Batches that were left out: step n takes batch n + skippedBatches. */
  skippedBatches: number;
  /** Told of what the trainer is doing. */
  onPhase?: (phase: Phase) => void;
  /** Gradients of the next batch, which (seed, step, skippedBatches) name. */
  computeGradients(data: Data): Promise<GradientResult>;
  /** Takes the step. */
  applyGradients(): Promise<UpdateResult>;
  /** Leaves the batch out. */
  discardGradients(): void;
  validate(data: Data): Promise<ValidationResult>;
  /** FLOPs of one token of training, forward and backward: what MFU counts. */
  flopsPerToken(): number;
}
