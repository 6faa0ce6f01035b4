/** The contrastive objective's trainer: the model with its optimizer, one step, one validation. */
import { AdamW, type Backend, Engine, Muon, type Optimizer } from "../engine/index.ts";
import type { ImageTextArchitecture, ImageTextModel } from "../models/index.ts";
import { contrastiveLossOf, contrastiveStep, embedPairs, type PairBatch, retrieval } from "../objectives/index.ts";
import type { ContrastiveConfiguration } from "./contrastive-configuration.ts";
import type { PairStream } from "./pairs.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepResult, Trainable, ValidationResult } from "./trainable.ts";

/** Logits of CLIP are at most 100 times the cosines (Radford et al. 2021), and at least the cosines. */
const largestLogitScale = Math.log(100);

/** Everything of a contrastive run that lives on the backend. */
export class ContrastiveTrainer implements Trainable<PairStream> {
  readonly engine: Engine;
  readonly model: ImageTextModel;
  readonly optimizer: Optimizer;
  private flopsOfLastToken = 0;

  constructor(
    backend: Backend,
    architecture: ImageTextArchitecture<unknown>,
    modelConfiguration: unknown,
    readonly configuration: ContrastiveConfiguration,
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

  async takeStep(stream: PairStream): Promise<StepResult> {
    const { batchPairs, augmentation, seed } = this.configuration;
    return this.takeStepOn(await stream.batchOf(this.step + 1, batchPairs, augmentation, seed));
  }

  /** Takes a step on the given pairs. */
  async takeStepOn(batch: PairBatch): Promise<StepResult> {
    const { engine, model, optimizer, configuration } = this;
    const loss = await contrastiveStep(engine, model, batch, configuration.microBatchPairs);
    const learningRate = learningRateAt(this.step + 1, configuration);
    optimizer.update(learningRate);
    await this.clipTemperature();
    const dimensions = model.architecture.dimensions(model.configuration);
    const tokens = batch.pairs * (dimensions.imageTokens + batch.texts.length);
    this.flopsOfLastToken = (batch.pairs * dimensions.trainingFlopsPerPair(batch.texts.length)) / tokens;
    const gradientNorm = await engine.scalar(optimizer.gradientNorm);
    return { loss, learningRate, gradientNorm, tokens, pairs: batch.pairs };
  }

  /** Loss and recall@1 both ways over the first pairs of a stream. */
  async validate(stream: PairStream): Promise<ValidationResult> {
    const { engine, model, configuration } = this;
    const { batch, pairs } = await stream.wholeBatch(configuration.validationPairs);
    const embeddings = await embedPairs(engine, model, batch, configuration.microBatchPairs);
    const found = await retrieval(
      engine,
      embeddings,
      pairs.map(({ captions }) => captions[0]),
    );
    return {
      loss: await contrastiveLossOf(engine, model, embeddings),
      metrics: { imageToTextRecallAt1: found.imageToText.recallAt1, textToImageRecallAt1: found.textToImage.recallAt1 },
    };
  }

  flopsPerToken(): number {
    return this.flopsOfLastToken;
  }

  /** SigLIP's temperature is free. */
  private async clipTemperature(): Promise<void> {
    const { logitScale, logitBias } = this.model;
    if (logitBias !== undefined) return;
    const value = await this.engine.scalar(logitScale);
    const clipped = Math.min(largestLogitScale, Math.max(0, value));
    if (clipped !== value) this.engine.backend.write(logitScale.tensor, Float32Array.of(clipped));
  }

  dispose(): void {
    this.optimizer.dispose();
    this.model.dispose();
    this.engine.trim();
  }
}
