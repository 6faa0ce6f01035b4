/** A model with its optimizer: the state that a checkpoint holds, and the one step that changes it. */
import { type Communicator, createSingleCommunicator } from "../cluster/index.ts";
import { type Backend, Engine, type Optimizer } from "../engine/index.ts";
import { mixKeys } from "../foundation/index.ts";
import { type Architecture, type LanguageModel, trainingFlopsPerToken } from "../models/index.ts";
import { chooseObjective, likeliestTokens, type ObjectiveBatch, type TextObjective } from "../objectives/index.ts";
import { requireEvenShares, type TrainingConfiguration } from "./configuration.ts";
import type { Phase } from "./flight-recorder.ts";
import { GradientReducer } from "./gradient-reducer.ts";
import { createAverage, createOptimizer, runUpdate, shareOwned } from "./optimization.ts";
import { batchSequencesAt, learningRateAt, sequenceLengthAt, sequencesBefore } from "./schedule.ts";
import { cutShorter } from "./shorter-sequences.ts";
import type { TrainingTokens } from "./tokens.ts";
import type { GradientResult, StepResult, Trainable, UpdateResult, ValidationResult } from "./trainable.ts";
import type { WeightAverage } from "./weight-average.ts";

/** Takes the place of a step where validation draws masks. */
const validationKey = 2 ** 32;

/** Everything of a run that lives on the backend. `step` counts the optimizer steps taken. */
export class Trainer implements Trainable<TrainingTokens> {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly optimizer: Optimizer;
  readonly average: WeightAverage | undefined;
  skippedBatches = 0;
  onPhase?: (phase: Phase) => void;
  private readonly reducer: GradientReducer | undefined;

  constructor(
    backend: Backend,
    architecture: Architecture<unknown>,
    modelConfiguration: unknown,
    readonly configuration: TrainingConfiguration,
    /** What it learns; next token if left out. */
    readonly objective: TextObjective = chooseObjective({ kind: "next-token" }, configuration.sequenceLength).objective,
    /** The ranks that share each step's micro-batches; this process alone if left out. */
    readonly ranks: Communicator = createSingleCommunicator(),
  ) {
    requireEvenShares(configuration, ranks.size);
    const { optimizer, parallel } = configuration;
    this.engine = new Engine(backend, { activationCheckpointing: configuration.activationCheckpointing });
    this.model = architecture.create(this.engine, modelConfiguration);
    const { arena } = this.model;
    arena.initialize(configuration.seed);
    this.optimizer = createOptimizer(arena, optimizer, ranks, parallel.shardOptimizerState);
    this.average = createAverage(arena, configuration.weightAverageDecay);
    this.reducer = ranks.size === 1 ? undefined : new GradientReducer(arena, backend, ranks, parallel);
  }

  get step(): number {
    return this.optimizer.step;
  }

  /** Gradients of the batch that (seed, step + skippedBatches) names. */
  async computeGradients(stream: TrainingTokens): Promise<GradientResult> {
    this.onPhase?.("data");
    const started = performance.now();
    const { sequenceLength, microBatchSequences, documentMask, seed } = this.configuration;
    const number = this.step + 1 + this.skippedBatches;
    const count = batchSequencesAt(number, this.configuration);
    const position = sequencesBefore(number, this.configuration);
    const sequences = stream.sequencesAt(position, count, sequenceLength, seed);
    const length = sequenceLengthAt(this.step + 1, this.configuration);
    const microBatches = this.ofThisRank(count / microBatchSequences).map((index) => {
      const first = index * microBatchSequences;
      const some = sequences.slice(first, first + microBatchSequences);
      const slots = some.map((_, row) => first + row);
      const batch = this.objective.draw(stream, some, { sequenceLength, documentMask }, [seed, number], slots);
      return { ...cutShorter(batch, length), dropoutKey: mixKeys(seed, number, first) };
    });
    const gradients = await this.gradientsOf(microBatches, (performance.now() - started) / 1000);
    const replayed = stream.replayedAt?.(position, count);
    return replayed === undefined ? gradients : { ...gradients, replayedTokens: replayed * sequenceLength };
  }

  /** This rank's micro-batches: gradients of the mean over the targets of all ranks. */
  private async gradientsOf(microBatches: readonly ObjectiveBatch[], dataSeconds: number): Promise<GradientResult> {
    const { engine, ranks, objective, model, reducer } = this;
    const { zLoss } = this.configuration;
    const [targets, tokens] = ranks.sum([
      microBatches.reduce((sum, batch) => sum + batch.targetCount, 0),
      microBatches.reduce((sum, batch) => sum + batch.tokens.length, 0),
    ]);
    this.onPhase?.("forward-backward");
    let loss = 0;
    for (const [index, batch] of microBatches.entries()) {
      const isLast = index === microBatches.length - 1;
      loss += await engine.scope({ record: true }, async () => {
        const losses = objective.losses(engine, model, batch, targets, zLoss);
        if (isLast && reducer !== undefined) engine.backwardTelling(reducer.begin(), ...losses);
        else engine.backward(...losses);
        let sum = 0;
        for (const one of losses) sum += await engine.scalar(one);
        return sum;
      });
    }
    this.onPhase?.("reduce");
    await reducer?.finish();
    [loss] = ranks.sum([loss]);
    this.optimizer.measureGradientNorm();
    return { loss, gradientNorm: await engine.scalar(this.optimizer.gradientNorm), tokens, dataSeconds };
  }

  async applyGradients(): Promise<UpdateResult> {
    this.onPhase?.("update");
    const step = this.step + 1;
    const learningRate = learningRateAt(step, this.configuration);
    const update = async () => {
      this.optimizer.update(learningRate);
      await shareOwned(this.optimizer, this.model.arena, this.engine.backend, this.ranks);
    };
    const measured = await runUpdate(this.model.arena, step, this.configuration, update);
    this.average?.update();
    return { learningRate, ...measured };
  }

  discardGradients(): void {
    this.optimizer.discardGradients();
    this.skippedBatches += 1;
  }

  /** Takes a step on this rank's micro-batches, whatever they are. */
  async takeStepOn(microBatches: readonly ObjectiveBatch[]): Promise<StepResult> {
    return { ...(await this.gradientsOf(microBatches, 0)), ...(await this.applyGradients()) };
  }

  /** Mean loss in nats a target over the first sequences of a stream; the same masks at every pass. */
  async validate(stream: TrainingTokens): Promise<ValidationResult> {
    this.onPhase?.("validate");
    const result = await this.validateOnce(stream);
    const averaged = await this.average?.exchanged(() => this.validateOnce(stream));
    return averaged === undefined ? result : { ...result, averagedLoss: averaged.loss };
  }

  private async validateOnce(stream: TrainingTokens): Promise<ValidationResult> {
    const { sequenceLength, microBatchSequences, documentMask, validationSequences, seed } = this.configuration;
    const { engine, objective, model } = this;
    const count = Math.min(stream.requireSequences(sequenceLength), validationSequences);
    let [total, targets, correct] = [0, 0, 0];
    for (const index of this.ofThisRank(Math.ceil(count / microBatchSequences))) {
      const first = index * microBatchSequences;
      const indices = Array.from({ length: Math.min(microBatchSequences, count - first) }, (_, i) => first + i);
      const batch = objective.draw(stream, indices, { sequenceLength, documentMask }, [seed, validationKey]);
      targets += batch.targetCount;
      total += await engine.scope({ record: false }, () => engine.scalar(objective.losses(engine, model, batch, 1)[0]));
      if (!objective.reportsAccuracy) continue;
      const likeliest = await engine.scope({ record: false }, () =>
        likeliestTokens(engine, model.forward(engine, batch)),
      );
      correct += likeliest.filter((token, row) => token === batch.targets[row]).length;
    }
    [total, targets, correct] = this.ranks.sum([total, targets, correct]);
    return {
      loss: total / targets,
      ...(objective.reportsAccuracy ? { metrics: { accuracy: correct / targets } } : {}),
    };
  }

  /** Those of `count` micro-batches that this rank computes. */
  private ofThisRank(count: number): number[] {
    const { rank, size } = this.ranks;
    return Array.from({ length: count }, (_, index) => index).filter((index) => index % size === rank);
  }

  /** FLOPs of one token of training, forward and backward: what MFU counts. */
  flopsPerToken(): number {
    const dimensions = this.model.architecture.dimensions(this.model.configuration);
    const { vocabularySize, width, matrixParameters } = dimensions;
    // A tied embedding counts as the head, which some objectives run over a part of the tokens only.
    const unused = (1 - this.objective.headShare) * vocabularySize * width;
    return trainingFlopsPerToken(
      { ...dimensions, matrixParameters: matrixParameters - unused },
      this.configuration.sequenceLength,
    );
  }

  dispose(): void {
    this.average?.dispose();
    this.optimizer.dispose();
    this.model.dispose();
    this.engine.trim();
  }
}
