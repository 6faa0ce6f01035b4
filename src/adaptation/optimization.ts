/** One optimizer over several arenas (model or adapters, and a head): gradients are clipped by their norm together. */
import { AdamW, type Engine, type ParameterArena } from "../engine/index.ts";

export class JointOptimizer {
  private readonly optimizers: readonly AdamW[];

  constructor(
    private readonly engine: Engine,
    private readonly arenas: readonly ParameterArena[],
    settings: { readonly weightDecay: number; readonly maximumGradientNorm: number },
    /** What the learning rate is multiplied by for each arena. */
    private readonly factors: readonly number[] = arenas.map(() => 1),
  ) {
    const configuration = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, ...settings };
    this.optimizers = arenas.map((arena) => new AdamW(arena, configuration));
  }

  /** One update from the accumulated gradients, which are zero afterwards; returns their norm before clipping. */
  async update(learningRate: number): Promise<number> {
    const { engine, optimizers } = this;
    let squares = 0;
    for (const optimizer of optimizers) {
      optimizer.measureGradientNorm();
      squares += (await engine.scalar(optimizer.gradientNorm)) ** 2;
    }
    const norm = Math.sqrt(squares);
    for (const [index, optimizer] of optimizers.entries()) {
      engine.backend.write(optimizer.gradientNorm, Float32Array.of(norm));
      optimizer.update(learningRate * this.factors[index]);
    }
    return norm;
  }

  /** A copy of all parameters on the host. */
  async snapshot(): Promise<Float32Array[]> {
    const { backend } = this.engine;
    const copies: Float32Array[] = [];
    for (const arena of this.arenas) copies.push((await backend.read(arena.valueArena())).slice());
    return copies;
  }

  restore(copies: readonly Float32Array[]): void {
    this.arenas.forEach((arena, index) => void this.engine.backend.write(arena.valueArena(), copies[index]));
  }

  dispose(): void {
    for (const optimizer of this.optimizers) optimizer.dispose();
  }
}
