/** The table of rotations on a backend. */
import { type Backend, type Storage, type Tensor, tensorOver } from "../engine/index.ts";
import { ropeAngles } from "./rope-angles.ts";
import { type RopeSettings, ropeAttentionFactor, ropeFrequencies } from "./rope-scaling.ts";

/** Cosines and sines by position: [context, headSize]. */
export class RopeTable {
  private readonly storage: Storage;
  private readonly table: Tensor;
  /** The length that the table holds for: with dynamic scaling every length has its own frequencies. */
  private length = 0;

  constructor(
    private readonly backend: Backend,
    private readonly settings: RopeSettings & { readonly context: number },
  ) {
    const { context, headSize } = settings;
    this.storage = backend.allocate(context * headSize * 4);
    this.table = tensorOver(this.storage, [context, headSize]);
    this.write(1);
  }

  /** The table for sequences of `length` tokens. It holds until another length is asked for. */
  at(length: number): Tensor {
    const { ropeScaling } = this.settings;
    const needed = ropeScaling?.kind === "dynamic" ? Math.max(length, ropeScaling.originalContext) : this.length;
    if (needed !== this.length) this.write(needed);
    return this.table;
  }

  private write(length: number): void {
    const frequencies = ropeFrequencies(this.settings, length);
    this.backend.write(this.table, ropeAngles(frequencies, this.settings.context, ropeAttentionFactor(this.settings)));
    this.length = length;
  }

  dispose(): void {
    this.backend.release(this.storage);
  }
}
