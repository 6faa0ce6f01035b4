/** AdamW over the parameter arena (Loshchilov & Hutter 2019), with global-norm clipping inside the same pass. */
import type { Backend } from "../backend.ts";
import type { ParameterArena } from "../parameters.ts";
import { type Storage, type Tensor, tensorOver } from "../tensor.ts";

/** Settings that stay the same through a run. */
export interface AdamWConfiguration {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; larger ones are scaled down to it. Infinity: no clipping. */
  readonly maximumGradientNorm: number;
}

/** State and step of AdamW. The gradients are zero again after every step. */
export class AdamW {
  /** Steps taken: bias correction depends on it, so it is part of the state. */
  step = 0;
  private readonly backend: Backend;
  private readonly firstMoments: Storage;
  private readonly secondMoments: Storage;
  private readonly normStorage: Storage;
  readonly gradientNorm: Tensor;

  constructor(
    private readonly arena: ParameterArena,
    private readonly configuration: AdamWConfiguration,
  ) {
    this.backend = arena.backend;
    this.firstMoments = this.backend.allocate(arena.length * 4);
    this.secondMoments = this.backend.allocate(arena.length * 4);
    this.normStorage = this.backend.allocate(64);
    this.gradientNorm = tensorOver(this.normStorage, [1]);
    for (const tensor of Object.values(this.state())) this.backend.kernels.fill(tensor, 0);
  }

  /** The moments, each as long as the arena: what a checkpoint keeps beside `step`. */
  state(): { firstMoment: Tensor; secondMoment: Tensor } {
    return {
      firstMoment: tensorOver(this.firstMoments, [this.arena.length]),
      secondMoment: tensorOver(this.secondMoments, [this.arena.length]),
    };
  }

  /** One update from the accumulated gradients, which are then set to zero. */
  update(learningRate: number): void {
    const { arena, configuration } = this;
    const { kernels } = this.backend;
    this.step += 1;
    kernels.norm(this.gradientNorm, arena.gradientArena());
    for (const { decay, start, length } of arena.groups) {
      kernels.adamW(
        {
          parameters: arena.valueArena(start, length),
          gradients: arena.gradientArena(start, length),
          firstMoment: tensorOver(this.firstMoments, [length], "f32", start),
          secondMoment: tensorOver(this.secondMoments, [length], "f32", start),
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
    arena.zeroGradients();
  }

  dispose(): void {
    for (const storage of [this.firstMoments, this.secondMoments, this.normStorage]) this.backend.release(storage);
  }
}
