import type { Tensor } from "../tensor.ts";

/** What the trainer and a checkpoint need of any optimizer. The gradients are zero again after every update. */
export interface Optimizer {
  /** Steps taken: part of the state, since bias correction depends on it. */
  step: number;
  /** [1]: the global gradient norm of the last update, before clipping. */
  readonly gradientNorm: Tensor;
  /** Every tensor beside `step` that a checkpoint keeps, under the name that it is kept by. */
  state(): Readonly<Record<string, Tensor>>;
  /** One update from the accumulated gradients at this learning rate. */
  update(learningRate: number): void;
  dispose(): void;
}
