/** AdamW over the parameter arena (Loshchilov & Hutter 2019), with global-norm clipping inside the same pass. */
import type { Backend } from "../backend.ts";
import type { ParameterArena, ParameterGroup } from "../parameters.ts";
import { type Storage, type Tensor, tensorOver } from "../tensor.ts";
import {
  evenRanges,
  type Optimizer,
  type OwnedRange,
  type ParameterTreatment,
  type StateSharing,
  type StateTensor,
  sharedState,
} from "./optimizer.ts";

/** Settings that stay the same through a run. */
export interface AdamWConfiguration {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; larger ones are scaled down to it. Infinity: no clipping. */
  readonly maximumGradientNorm: number;
  /** Another treatment of single parameters by name; undefined leaves a parameter as the other settings say. */
  readonly treatmentOf?: (name: string) => Partial<ParameterTreatment> | undefined;
}

/** A stretch of the arena with one treatment. */
interface Segment extends ParameterTreatment {
  readonly start: number;
  readonly length: number;
}

/** State and step of AdamW over the given groups, which follow each other in the arena; all of them by default. */
export class AdamW implements Optimizer {
  step = 0;
  readonly gradientNorm: Tensor;
  readonly ownedRanges: readonly OwnedRange[];
  private readonly backend: Backend;
  private readonly firstMoments: Storage;
  private readonly secondMoments: Storage;
  private readonly normStorage: Storage;
  private readonly start: number;
  private readonly length: number;
  /** The stretch whose moments lie here. */
  private readonly mine: { readonly start: number; readonly length: number };
  private readonly segments: readonly Segment[];
  private isMeasured = false;

  constructor(
    private readonly arena: ParameterArena,
    private readonly configuration: AdamWConfiguration,
    groups: readonly ParameterGroup[] = arena.groups,
    private readonly sharing: StateSharing = { rank: 0, size: 1 },
  ) {
    this.backend = arena.backend;
    this.start = groups[0].start;
    this.length = groups.reduce((sum, group) => sum + group.length, 0);
    this.ownedRanges = sharing.size === 1 ? [] : evenRanges(this.start, this.length, sharing.size);
    this.mine = this.ownedRanges[sharing.rank] ?? { start: this.start, length: this.length };
    this.segments = groups.flatMap((group) => this.segmentsOf(group));
    const bytes = Math.max(64, this.mine.length * 4);
    this.firstMoments = this.backend.allocate(bytes);
    this.secondMoments = this.backend.allocate(bytes);
    this.normStorage = this.backend.allocate(64);
    this.gradientNorm = tensorOver(this.normStorage, [1]);
    for (const storage of [this.firstMoments, this.secondMoments]) {
      if (this.mine.length > 0) this.backend.kernels.fill(tensorOver(storage, [this.mine.length]), 0);
    }
  }

  /** The moments of the groups, in the arena's order. */
  state(): Record<"firstMoment" | "secondMoment", StateTensor> {
    const { start, length, ownedRanges, sharing } = this;
    const stateOf = (storage: Storage) =>
      sharedState(tensorOver(storage, [this.mine.length]), { start, length }, ownedRanges, sharing.rank);
    return { firstMoment: stateOf(this.firstMoments), secondMoment: stateOf(this.secondMoments) };
  }

  measureGradientNorm(): void {
    this.backend.kernels.norm(this.gradientNorm, this.arena.gradientArena());
    this.isMeasured = true;
  }

  update(learningRate: number): void {
    this.takeStep(learningRate);
    this.arena.zeroGradients();
  }

  discardGradients(): void {
    this.isMeasured = false;
    this.arena.zeroGradients();
  }

  /** The update without setting the gradients to zero, for an optimizer that steps the other groups after it. */
  takeStep(learningRate: number): void {
    const { arena, configuration } = this;
    this.step += 1;
    if (!this.isMeasured) this.measureGradientNorm();
    this.isMeasured = false;
    for (const { start, length, learningRateScale, weightDecay } of this.segments) {
      this.backend.kernels.adamW(
        {
          parameters: arena.valueArena(start, length),
          gradients: arena.gradientArena(start, length),
          firstMoment: tensorOver(this.firstMoments, [length], "f32", start - this.mine.start),
          secondMoment: tensorOver(this.secondMoments, [length], "f32", start - this.mine.start),
          gradientNorm: this.gradientNorm,
        },
        {
          learningRate: learningRate * learningRateScale,
          beta1: configuration.beta1,
          beta2: configuration.beta2,
          epsilon: configuration.epsilon,
          weightDecay,
          step: this.step,
          maximumNorm: configuration.maximumGradientNorm,
        },
      );
    }
  }

  dispose(): void {
    for (const storage of [this.firstMoments, this.secondMoments, this.normStorage]) this.backend.release(storage);
  }

  /** The part of a group that this rank steps, cut where the treatment changes. */
  private segmentsOf(group: ParameterGroup): Segment[] {
    const end = group.start + group.length;
    const inside = [...this.arena.parameters.values()].filter(
      ({ tensor }) => tensor.offset >= group.start && tensor.offset < end,
    );
    const segments: Segment[] = [];
    inside.forEach(({ name, tensor }, index) => {
      const treatment = {
        learningRateScale: 1,
        weightDecay: group.decay ? this.configuration.weightDecay : 0,
        ...this.configuration.treatmentOf?.(name),
      };
      const to = Math.min(inside[index + 1]?.tensor.offset ?? end, this.mine.start + this.mine.length);
      const from = Math.max(tensor.offset, this.mine.start);
      const last = segments.at(-1);
      if (to <= from) return;
      const isSame =
        last?.learningRateScale === treatment.learningRateScale && last.weightDecay === treatment.weightDecay;
      if (last !== undefined && isSame) segments[segments.length - 1] = { ...last, length: to - last.start };
      else segments.push({ ...treatment, start: from, length: to - from });
    });
    return segments;
  }
}
