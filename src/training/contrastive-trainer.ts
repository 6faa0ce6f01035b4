/** The contrastive objective's trainer: the model with its optimizer, one step, one validation. */
import { type Communicator, createSingleCommunicator } from "../cluster/index.ts";
import { type Backend, Engine, type Optimizer } from "../engine/index.ts";
import { Random } from "../foundation/index.ts";
import type { ImageTextArchitecture, ImageTextModel } from "../models/index.ts";
import { contrastiveLossOf, contrastiveStep, embedPairs, type PairBatch, retrieval } from "../objectives/index.ts";
import { type ContrastiveConfiguration, requireEvenPairs } from "./contrastive-configuration.ts";
import type { Phase } from "./flight-recorder.ts";
import { gatheringOver, rowsBefore } from "./gather-embeddings.ts";
import { GradientReducer } from "./gradient-reducer.ts";
import { createOptimizer, runUpdate, shareOwned } from "./optimization.ts";
import type { PairStream } from "./pairs.ts";
import { learningRateAt } from "./schedule.ts";
import type { GradientResult, StepResult, Trainable, UpdateResult, ValidationResult } from "./trainable.ts";

/** Logits of CLIP are at most 100 times the cosines (Radford et al. 2021), and at least the cosines. */
const largestLogitScale = Math.log(100);

/** Key of the patches that are drawn, beside (seed, step, image). */
const patchKey = 103;

/** Which of its patches each image shows: `kept` of `patches`, in their order. */
function drawPatches(
  images: number,
  first: number,
  patches: number,
  kept: number,
  keys: readonly number[],
): Int32Array {
  const shown = new Int32Array(images * kept);
  for (let image = 0; image < images; image++) {
    const random = new Random(...keys, first + image);
    // One of the subsets of that size, each as likely (Knuth's selection sampling).
    for (let patch = 0, found = 0; found < kept; patch++) {
      if (random.uniform() * (patches - patch) < kept - found) shown[image * kept + found++] = patch;
    }
  }
  return shown;
}

/** Everything of a contrastive run that lives on the backend. */
export class ContrastiveTrainer implements Trainable<PairStream> {
  readonly engine: Engine;
  readonly model: ImageTextModel;
  readonly optimizer: Optimizer;
  skippedBatches = 0;
  onPhase?: (phase: Phase) => void;
  private flopsOfLastToken = 0;
  private readonly gathering;
  private readonly reducer: GradientReducer | undefined;

  constructor(
    backend: Backend,
    architecture: ImageTextArchitecture<unknown>,
    modelConfiguration: unknown,
    readonly configuration: ContrastiveConfiguration,
    /** The ranks that share each batch; the stream of each must hold its part. This process alone if left out. */
    readonly ranks: Communicator = createSingleCommunicator(),
  ) {
    requireEvenPairs(configuration, ranks.size);
    const { optimizer, parallel } = configuration;
    this.engine = new Engine(backend, { activationCheckpointing: configuration.activationCheckpointing });
    this.model = architecture.create(this.engine, modelConfiguration);
    this.model.arena.initialize(configuration.seed);
    this.optimizer = createOptimizer(this.model.arena, optimizer, ranks, parallel.shardOptimizerState);
    this.gathering = gatheringOver(ranks, backend);
    this.reducer = ranks.size === 1 ? undefined : new GradientReducer(this.model.arena, backend, ranks, parallel);
  }

  get step(): number {
    return this.optimizer.step;
  }

  async computeGradients(stream: PairStream): Promise<GradientResult> {
    this.onPhase?.("data");
    const { batchPairs, augmentation, seed } = this.configuration;
    const started = performance.now();
    const batch = await stream.batchOf(this.step + 1 + this.skippedBatches, batchPairs, augmentation, seed);
    return this.gradientsOf(batch, (performance.now() - started) / 1000);
  }

  private async gradientsOf(whole: PairBatch, dataSeconds: number): Promise<GradientResult> {
    this.onPhase?.("forward-backward");
    const batch = this.withSomePatches(whole);
    const { engine, model, optimizer, configuration } = this;
    const loss = await contrastiveStep(engine, model, batch, configuration.microBatchPairs, this.gathering);
    this.onPhase?.("reduce");
    await this.reducer?.finish();
    const dimensions = model.architecture.dimensions(model.configuration);
    const patches = batch.patches === undefined ? dimensions.imagePatches : batch.patches.length / batch.pairs;
    const [pairs, tokens, flops] = this.ranks.sum([
      batch.pairs,
      batch.pairs * (patches + batch.texts.length),
      batch.pairs * dimensions.trainingFlopsPerPair(batch.texts.length, patches),
    ]);
    this.flopsOfLastToken = flops / tokens;
    optimizer.measureGradientNorm();
    return { loss, gradientNorm: await engine.scalar(optimizer.gradientNorm), tokens, pairs, dataSeconds };
  }

  private withSomePatches(batch: PairBatch): PairBatch {
    const { augmentation, seed } = this.configuration;
    const { imagePatches } = this.model.architecture.dimensions(this.model.configuration);
    const kept = imagePatches - Math.floor(imagePatches * augmentation.patchDropout);
    if (kept === imagePatches) return batch;
    const step = this.step + 1 + this.skippedBatches;
    const first = rowsBefore(this.ranks, batch.pairs).before;
    return { ...batch, patches: drawPatches(batch.pairs, first, imagePatches, kept, [seed, patchKey, step]) };
  }

  async applyGradients(): Promise<UpdateResult> {
    this.onPhase?.("update");
    const step = this.step + 1;
    const learningRate = learningRateAt(step, this.configuration);
    const update = async () => {
      this.optimizer.update(learningRate);
      await shareOwned(this.optimizer, this.model.arena, this.engine.backend, this.ranks);
      await this.clipTemperature();
    };
    const measured = await runUpdate(this.model.arena, step, this.configuration, update);
    return { learningRate, ...measured };
  }

  discardGradients(): void {
    this.optimizer.discardGradients();
    this.skippedBatches += 1;
  }

  /** Takes a step on the given pairs. */
  async takeStepOn(batch: PairBatch): Promise<StepResult> {
    return { ...(await this.gradientsOf(batch, 0)), ...(await this.applyGradients()) };
  }

  /** Loss and recall@1 both ways over the first pairs of a stream; every rank computes them all. */
  async validate(stream: PairStream): Promise<ValidationResult> {
    this.onPhase?.("validate");
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
