/** AdamW over the parameter arena (Loshchilov & Hutter 2019), with global-norm clipping inside the same pass. */
import type { Backend } from "../backend.ts";
import type { ParameterArena, ParameterGroup } from "../parameters.ts";
import { type Storage, type Tensor, tensorOver } from "../tensor.ts";
import type { Optimizer } from "./optimizer.ts";

/** Settings that stay the same through a run. */
export interface AdamWConfiguration {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; larger ones are scaled down to it. Infinity: no clipping. */
  readonly maximumGradientNorm: number;
}

/** State and step of AdamW over the given groups, which follow each other in the arena; all of them by default. */
export class AdamW implements Optimizer {
  step = 0;
  private readonly backend: Backend;
  private readonly firstMoments: Storage;
  private readonly secondMoments: Storage;
  private readonly normStorage: Storage;
  readonly gradientNorm: Tensor;
  private readonly start: number;
  private readonly length: number;

  constructor(
    private readonly arena: ParameterArena,
    private readonly configuration: AdamWConfiguration,
    private readonly groups: readonly ParameterGroup[] = arena.groups,
  ) {
    this.backend = arena.backend;
    this.start = groups[0].start;
    this.length = groups.reduce((sum, group) => sum + group.length, 0);
    this.firstMoments = this.backend.allocate(this.length * 4);
    this.secondMoments = this.backend.allocate(this.length * 4);
    this.normStorage = this.backend.allocate(64);
    this.gradientNorm = tensorOver(this.normStorage, [1]);
    for (const tensor of Object.values(this.state())) this.backend.kernels.fill(tensor, 0);
  }

  /** The moments of the groups, in the arena's order. */
  state(): Record<"firstMoment" | "secondMoment", Tensor> {
    return {
      firstMoment: tensorOver(this.firstMoments, [this.length]),
      secondMoment: tensorOver(this.secondMoments, [this.length]),
    };
  }

  update(learningRate: number): void {
    this.takeStep(learningRate);
    this.arena.zeroGradients();
  }

  /** The update without setting the gradients to zero, for an optimizer that steps the other groups after it. */
  takeStep(learningRate: number): void {
    const { arena, configuration } = this;
    const { kernels } = this.backend;
    this.step += 1;
    kernels.norm(this.gradientNorm, arena.gradientArena());
    for (const { decay, start, length } of this.groups) {
      kernels.adamW(
        {
          parameters: arena.valueArena(start, length),
          gradients: arena.gradientArena(start, length),
          firstMoment: tensorOver(this.firstMoments, [length], "f32", start - this.start),
          secondMoment: tensorOver(this.secondMoments, [length], "f32", start - this.start),
          gradientNorm: this.gradientNorm,
        },
        {
          learningRate,
          beta1: configuration.beta1,
          beta2: configuration.beta2,
          epsilon: configuration.epsilon,
          weightDecay: decay ? configuration.weightDecay : 0,
          step: this.step,
          maximumNorm: configuration.maximumGradientNorm,
        },
      );
    }
  }

  dispose(): void {
    for (const storage of [this.firstMoments, this.secondMoments, this.normStorage]) this.backend.release(storage);
  }
}
