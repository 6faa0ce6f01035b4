/**
 * Muon (Jordan et al. 2024) for hidden matrices, AdamW for everything else: embeddings, head, norms. Updates are scaled by
 * 0.2·√max(rows, columns) (Liu et al. 2025, "Muon is Scalable for LLM Training"), so that both share one learning rate.
 */
import type { Backend } from "../backend.ts";
import type { ParameterArena } from "../parameters.ts";
import { rows, type Storage, type Tensor, tensorOver } from "../tensor.ts";
import { AdamW, type AdamWConfiguration } from "./adamw.ts";
import type { Optimizer } from "./optimizer.ts";

/** AdamW's settings hold for what Muon does not step; decay and clipping hold for all. */
export interface MuonConfiguration extends AdamWConfiguration {
  /** Share of the old momentum kept each step. */
  readonly momentum: number;
}

/** The independent matrices of one parameter, as views of parameters, gradients and momentum. */
interface HiddenMatrix {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly momentum: Tensor;
}

/** State and step of Muon with AdamW. */
export class Muon implements Optimizer {
  private readonly backend: Backend;
  private readonly momenta: Storage;
  private readonly hiddenLength: number;
  private readonly matrices: readonly HiddenMatrix[];
  private readonly rest: AdamW;

  constructor(
    private readonly arena: ParameterArena,
    private readonly configuration: MuonConfiguration,
  ) {
    this.backend = arena.backend;
    this.rest = new AdamW(
      arena,
      configuration,
      arena.groups.filter((group) => !group.hidden),
    );
    this.hiddenLength = arena.groups.find((group) => group.hidden)?.length ?? 0;
    this.momenta = this.backend.allocate(Math.max(64, this.hiddenLength * 4));
    if (this.hiddenLength > 0) this.backend.kernels.fill(this.momentumArena(), 0);
    this.matrices = [...arena.parameters.values()].flatMap(({ specification, tensor, parameterGradient }) => {
      let start = 0;
      return (specification.hiddenRows ?? []).map((count) => {
        const momentum = tensorOver(this.momenta, tensor.shape, "f32", tensor.offset);
        const views = [tensor, parameterGradient, momentum].map((one) => rows(one, start, count));
        start += count;
        return { parameters: views[0], gradients: views[1], momentum: views[2] };
      });
    });
  }

  get step(): number {
    return this.rest.step;
  }

  set step(step: number) {
    this.rest.step = step;
  }

  get gradientNorm(): Tensor {
    return this.rest.gradientNorm;
  }

  state(): Record<string, Tensor> {
    return { ...this.rest.state(), ...(this.hiddenLength > 0 ? { momentum: this.momentumArena() } : {}) };
  }

  update(learningRate: number): void {
    const { momentum, weightDecay, maximumGradientNorm: maximumNorm } = this.configuration;
    this.rest.takeStep(learningRate);
    for (const matrix of this.matrices) {
      const scale = 0.2 * Math.sqrt(Math.max(...matrix.parameters.shape));
      this.backend.kernels.muon(
        { ...matrix, gradientNorm: this.gradientNorm },
        { learningRate, momentum, weightDecay, scale, maximumNorm },
      );
    }
    this.arena.zeroGradients();
  }

  dispose(): void {
    this.rest.dispose();
    this.backend.release(this.momenta);
  }

  private momentumArena(): Tensor {
    return tensorOver(this.momenta, [this.hiddenLength]);
  }
}
