/** A model with its optimizer: the state that a checkpoint holds, and the one step that changes it. */
import { AdamW, type Backend, Engine, Muon, type Optimizer } from "../engine/index.ts";
import { type Architecture, type LanguageModel, trainingFlopsPerToken } from "../models/index.ts";
import { nextTokenLoss } from "../objectives/index.ts";
import type { TrainingConfiguration } from "./configuration.ts";
import { learningRateAt } from "./schedule.ts";
import { sequencesOfStep, type TokenStream, type TrainingBatch } from "./tokens.ts";
import type { StepResult, Trainable, ValidationResult } from "./trainable.ts";

/** Everything of a run that lives on the backend. `step` counts the optimizer steps taken. */
export class Trainer implements Trainable<TokenStream> {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly optimizer: Optimizer;

  constructor(
    backend: Backend,
    architecture: Architecture<unknown>,
    modelConfiguration: unknown,
    readonly configuration: TrainingConfiguration,
  ) {
    this.engine = new Engine(backend, { activationCheckpointing: configuration.activationCheckpointing });
    this.model = architecture.create(this.engine, modelConfiguration);
    this.model.arena.initialize(configuration.seed);
    const { optimizer } = configuration;
    const settings = { ...optimizer, maximumGradientNorm: optimizer.maximumGradientNorm ?? Number.POSITIVE_INFINITY };
    const Kind = optimizer.kind === "muon" ? Muon : AdamW;
    this.optimizer = new Kind(this.model.arena, settings);
  }

  get step(): number {
    return this.optimizer.step;
  }

  /** Takes the next step on the batch that (seed, step) names. */
  takeStep(stream: TokenStream): Promise<StepResult> {
    const { sequenceLength, batchSequences, microBatchSequences, documentMask, seed } = this.configuration;
    const count = stream.requireSequences(sequenceLength);
    const sequences = sequencesOfStep(this.step + 1, batchSequences, count, seed);
    const microBatches = Array.from({ length: batchSequences / microBatchSequences }, (_, index) =>
      stream.batch(
        sequences.slice(index * microBatchSequences, (index + 1) * microBatchSequences),
        sequenceLength,
        documentMask,
      ),
    );
    return this.takeStepOn(microBatches);
  }

  /** Takes a step on the given micro-batches: gradients of the mean over all their targets. */
  async takeStepOn(microBatches: readonly TrainingBatch[]): Promise<StepResult> {
    const { engine } = this;
    const targets = microBatches.reduce((sum, batch) => sum + batch.targetCount, 0);
    let loss = 0;
    for (const batch of microBatches) {
      loss += await engine.scope({ record: true }, () => {
        const objective = nextTokenLoss(engine, this.model, batch, targets);
        engine.backward(objective.loss);
        return engine.scalar(objective.loss);
      });
    }
    const learningRate = learningRateAt(this.step + 1, this.configuration);
    this.optimizer.update(learningRate);
    const gradientNorm = await engine.scalar(this.optimizer.gradientNorm);
    const tokens = microBatches.reduce((sum, batch) => sum + batch.tokens.length, 0);
    return { loss, learningRate, gradientNorm, tokens };
  }

  /** Mean loss in nats a token over the first sequences of a stream. */
  async validate(stream: TokenStream): Promise<ValidationResult> {
    const { sequenceLength, microBatchSequences, documentMask, validationSequences } = this.configuration;
    const count = Math.min(stream.requireSequences(sequenceLength), validationSequences);
    let total = 0;
    for (let first = 0; first < count; first += microBatchSequences) {
      const indices = Array.from({ length: Math.min(microBatchSequences, count - first) }, (_, i) => first + i);
      const batch = stream.batch(indices, sequenceLength, documentMask);
      total += await this.engine.scope({ record: false }, () =>
        this.engine.scalar(nextTokenLoss(this.engine, this.model, batch, 1).loss),
      );
    }
    return { loss: total / (count * sequenceLength) };
  }

  /** FLOPs of one token of training, forward and backward: what MFU counts. */
  flopsPerToken(): number {
    const dimensions = this.model.architecture.dimensions(this.model.configuration);
    return trainingFlopsPerToken(dimensions, this.configuration.sequenceLength);
  }

  dispose(): void {
    this.optimizer.dispose();
    this.model.dispose();
    this.engine.trim();
  }
}
