/** A model with its optimizer: the state that a checkpoint holds, and the one step that changes it. */
import { type Communicator, createSingleCommunicator } from "../cluster/index.ts";
import { AdamW, type Backend, Engine, Muon, type Optimizer } from "../engine/index.ts";
import { mixKeys } from "../foundation/index.ts";
import { type Architecture, type LanguageModel, trainingFlopsPerToken } from "../models/index.ts";
import {
  chooseObjective,
  likeliestTokens,
  type ObjectiveBatch,
  sequencesOfStep,
  type TextObjective,
} from "../objectives/index.ts";
import { requireEvenShares, type TrainingConfiguration } from "./configuration.ts";
import { learningRateAt } from "./schedule.ts";
import type { TokenStream } from "./tokens.ts";
import type { StepResult, Trainable, ValidationResult } from "./trainable.ts";

/** Takes the place of a step where validation draws masks. */
const validationKey = 2 ** 32;

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
    /** What it learns; next token if left out. */
    readonly objective: TextObjective = chooseObjective({ kind: "next-token" }, configuration.sequenceLength).objective,
    /** The ranks that share each step's micro-batches; this process alone if left out. */
    readonly ranks: Communicator = createSingleCommunicator(),
  ) {
    requireEvenShares(configuration, ranks.size);
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
    const step = this.step + 1;
    const mine = this.ofThisRank(batchSequences / microBatchSequences);
    const microBatches = mine.map((index) => {
      const first = index * microBatchSequences;
      const some = sequences.slice(first, first + microBatchSequences);
      const slots = some.map((_, row) => first + row);
      const batch = this.objective.draw(stream, some, { sequenceLength, documentMask }, [seed, step], slots);
      return { ...batch, dropoutKey: mixKeys(seed, step, first) };
    });
    return this.takeStepOn(microBatches);
  }

  /** Takes a step on this rank's micro-batches: gradients of the mean over the targets of all ranks. */
  async takeStepOn(microBatches: readonly ObjectiveBatch[]): Promise<StepResult> {
    const { engine, ranks } = this;
    const [targets, tokens] = ranks.sum([
      microBatches.reduce((sum, batch) => sum + batch.targetCount, 0),
      microBatches.reduce((sum, batch) => sum + batch.tokens.length, 0),
    ]);
    let loss = 0;
    for (const batch of microBatches) {
      loss += await engine.scope({ record: true }, async () => {
        const losses = this.objective.losses(engine, this.model, batch, targets);
        engine.backward(...losses);
        let sum = 0;
        for (const one of losses) sum += await engine.scalar(one);
        return sum;
      });
    }
    await ranks.allReduce(engine.backend, this.model.arena.gradientArena(), "f32");
    [loss] = ranks.sum([loss]);
    const learningRate = learningRateAt(this.step + 1, this.configuration);
    this.optimizer.update(learningRate);
    const gradientNorm = await engine.scalar(this.optimizer.gradientNorm);
    return { loss, learningRate, gradientNorm, tokens };
  }

  /** Mean loss in nats a target over the first sequences of a stream; the same masks at every pass. */
  async validate(stream: TokenStream): Promise<ValidationResult> {
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
    this.optimizer.dispose();
    this.model.dispose();
    this.engine.trim();
  }
}
