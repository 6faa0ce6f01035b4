/** The exponential moving average of the weights: often better than the last ones, at no cost in steps. */
import { type ParameterArena, type Storage, type Tensor, tensorOver } from "../engine/index.ts";

const pieceElements = 1 << 18;

/** Average of a model's parameters, laid out as its arena. It begins as the weights do. */
export class WeightAverage {
  readonly values: Tensor;
  private readonly storage: Storage;
  private readonly scratch: Storage;

  /** @param decay the share of the old average that a step keeps */
  constructor(
    private readonly arena: ParameterArena,
    private readonly decay: number,
  ) {
    this.storage = arena.backend.allocate(arena.length * 4);
    this.scratch = arena.backend.allocate(Math.min(pieceElements, arena.length) * 4);
    this.values = tensorOver(this.storage, [arena.length]);
    this.reset();
  }

  /** Forgets all: the average is the weights as they are now. */
  reset(): void {
    this.arena.backend.kernels.copy(this.values, this.arena.valueArena());
  }

  /** average = decay · average + (1 − decay) · weights. */
  update(): void {
    const { kernels } = this.arena.backend;
    for (const { average, weights, scratch } of this.pieces()) {
      kernels.scale(scratch, weights, 1 - this.decay);
      kernels.scale(average, average, this.decay);
      kernels.add(average, average, scratch);
    }
  }

  /** Runs `work` with the average in the place of the weights. */
  async exchanged<Result>(work: () => Promise<Result>): Promise<Result> {
    this.exchange();
    try {
      return await work();
    } finally {
      this.exchange();
    }
  }

  private exchange(): void {
    const { kernels } = this.arena.backend;
    for (const { average, weights, scratch } of this.pieces()) {
      kernels.copy(scratch, weights);
      kernels.copy(weights, average);
      kernels.copy(average, scratch);
    }
  }

  private *pieces() {
    for (let start = 0; start < this.arena.length; start += pieceElements) {
      const length = Math.min(pieceElements, this.arena.length - start);
      yield {
        average: tensorOver(this.storage, [length], "f32", start),
        weights: this.arena.valueArena(start, length),
        scratch: tensorOver(this.scratch, [length]),
      };
    }
  }

  dispose(): void {
    this.arena.backend.release(this.storage);
    this.arena.backend.release(this.scratch);
  }
}
