/**
 * Muon (Jordan et al. 2024) for hidden matrices, AdamW for everything else: embeddings, head, norms. Updates are scaled by
 * 0.2·√max(rows, columns) (Liu et al. 2025, "Muon is Scalable for LLM Training"), so that both share one learning rate.
 */
import type { Backend } from "../backend.ts";
import type { ParameterArena } from "../parameters.ts";
import { elementCount, rows, type Storage, type Tensor, tensorOver } from "../tensor.ts";
import { AdamW, type AdamWConfiguration } from "./adamw.ts";
import {
  type Optimizer,
  type OwnedRange,
  type ParameterTreatment,
  type StateSharing,
  type StateTensor,
  sharedState,
} from "./optimizer.ts";

/** AdamW's settings hold for what Muon does not step; decay and clipping hold for all. */
export interface MuonConfiguration extends AdamWConfiguration {
  /** Share of the old momentum kept each step. */
  readonly momentum: number;
}

/** The independent matrices of one parameter, as views of parameters, gradients and momentum. */
interface HiddenMatrix extends ParameterTreatment {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly momentum: Tensor;
}

/** State and step of Muon with AdamW. */
export class Muon implements Optimizer {
  private readonly backend: Backend;
  private readonly momenta: Storage;
  private readonly hiddenLength: number;
  private readonly hiddenRanges: readonly OwnedRange[];
  private readonly mine: { readonly start: number; readonly length: number };
  private readonly matrices: readonly HiddenMatrix[];
  private readonly rest: AdamW;

  constructor(
    private readonly arena: ParameterArena,
    private readonly configuration: MuonConfiguration,
    private readonly sharing: StateSharing = { rank: 0, size: 1 },
  ) {
    this.backend = arena.backend;
    const others = arena.groups.filter((group) => !group.hidden);
    this.rest = new AdamW(arena, configuration, others, sharing);
    this.hiddenLength = arena.groups.find((group) => group.hidden)?.length ?? 0;
    this.hiddenRanges = sharing.size === 1 ? [] : this.wholeMatrices(sharing.size);
    this.mine = this.hiddenRanges[sharing.rank] ?? { start: 0, length: this.hiddenLength };
    this.momenta = this.backend.allocate(Math.max(64, this.mine.length * 4));
    if (this.mine.length > 0) this.backend.kernels.fill(tensorOver(this.momenta, [this.mine.length]), 0);
    this.matrices = this.hiddenMatrices();
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

  get ownedRanges(): readonly OwnedRange[] {
    return [...this.hiddenRanges, ...this.rest.ownedRanges];
  }

  state(): Record<string, StateTensor> {
    if (this.hiddenLength === 0) return this.rest.state();
    const own = tensorOver(this.momenta, [this.mine.length]);
    const hidden = { start: 0, length: this.hiddenLength };
    const momentum = sharedState(own, hidden, this.hiddenRanges, this.sharing.rank);
    return { ...this.rest.state(), momentum };
  }

  measureGradientNorm(): void {
    this.rest.measureGradientNorm();
  }

  update(learningRate: number): void {
    const { momentum, maximumGradientNorm: maximumNorm } = this.configuration;
    this.rest.takeStep(learningRate);
    for (const { learningRateScale, weightDecay, ...matrix } of this.matrices) {
      const scale = 0.2 * Math.sqrt(Math.max(...matrix.parameters.shape));
      this.backend.kernels.muon(
        { ...matrix, gradientNorm: this.gradientNorm },
        { learningRate: learningRate * learningRateScale, momentum, weightDecay, scale, maximumNorm },
      );
    }
    this.arena.zeroGradients();
  }

  discardGradients(): void {
    this.rest.discardGradients();
  }

  dispose(): void {
    this.rest.dispose();
    this.backend.release(this.momenta);
  }

  /** Views of the matrices that this rank steps. */
  private hiddenMatrices(): HiddenMatrix[] {
    const { treatmentOf, weightDecay } = this.configuration;
    return [...this.arena.parameters.values()].flatMap(({ name, specification, tensor, parameterGradient }) => {
      const treatment = { learningRateScale: 1, weightDecay, ...treatmentOf?.(name) };
      if (tensor.offset < this.mine.start || tensor.offset >= this.mine.start + this.mine.length) return [];
      let start = 0;
      return (specification.hiddenRows ?? []).map((count) => {
        const momentum = tensorOver(this.momenta, tensor.shape, "f32", tensor.offset - this.mine.start);
        const views = [tensor, parameterGradient, momentum].map((one) => rows(one, start, count));
        start += count;
        return { parameters: views[0], gradients: views[1], momentum: views[2], ...treatment };
      });
    });
  }

  /** The hidden group in ranges that end where parameters do: a matrix is stepped as a whole. */
  private wholeMatrices(size: number): OwnedRange[] {
    const starts = [...this.arena.parameters.values()]
      .filter(({ specification }) => specification.hiddenRows !== undefined)
      .map(({ tensor }) => ({ start: tensor.offset, middle: tensor.offset + elementCount(tensor) / 2 }))
      .filter(({ start }) => start < this.hiddenLength);
    const bound = (rank: number): number => {
      if (rank === 0) return 0;
      const target = (this.hiddenLength * rank) / size;
      return starts.find(({ middle }) => middle >= target)?.start ?? this.hiddenLength;
    };
    return Array.from({ length: size }, (_, owner) => {
      const start = bound(owner);
      return { owner, start, length: (owner + 1 === size ? this.hiddenLength : bound(owner + 1)) - start };
    });
  }
}
