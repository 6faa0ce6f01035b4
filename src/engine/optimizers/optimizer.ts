import type { Tensor } from "../tensor.ts";

/** A stretch of the parameter arena, in elements, that one rank updates. */
export interface OwnedRange {
  readonly owner: number;
  readonly start: number;
  readonly length: number;
}

/** A stretch of a state tensor. Where the state is sharded, only its owner has the numbers. */
export interface StatePart {
  readonly start: number;
  readonly length: number;
  /** The rank that holds it; undefined where every rank does. */
  readonly owner: number | undefined;
  /** Absent on ranks that do not hold it. */
  readonly tensor?: Tensor;
}

/** A state tensor in parts that follow each other without gaps; `length` counts all of them. */
export interface StateTensor {
  readonly length: number;
  readonly parts: readonly StatePart[];
}

/** Ranks that share the optimizer's state (ZeRO stage 1, Rajbhandari et al. 2020). */
export interface StateSharing {
  readonly rank: number;
  readonly size: number;
}

/** How the optimizer treats one parameter. */
export interface ParameterTreatment {
  /** Factor on the run's learning rate. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

/** What the trainer and a checkpoint need of any optimizer. The gradients are zero again after every update. */
export interface Optimizer {
  /** Steps taken: part of the state, since bias correction depends on it. */
  step: number;
  /** [1]: the global gradient norm that was measured last, before clipping. */
  readonly gradientNorm: Tensor;
  /** Who updates what; empty where every rank updates everything. */
  readonly ownedRanges: readonly OwnedRange[];
  /** Every tensor beside `step` that a checkpoint keeps, under the name that it is kept by. */
  state(): Readonly<Record<string, StateTensor>>;
  /** Fills `gradientNorm` from the accumulated gradients, so that a guard may look before the update. */
  measureGradientNorm(): void;
  /** One update from the accumulated gradients at this learning rate; measures their norm first if that was not done. */
  update(learningRate: number): void;
  /** Forgets the accumulated gradients without a step. */
  discardGradients(): void;
  dispose(): void;
}

/** A state tensor over ranges of which this rank holds its own, `held`; all of it where nothing is shared. `start`: of the ranges. */
export function sharedState(
  held: Tensor,
  { start, length }: { readonly start: number; readonly length: number },
  ranges: readonly OwnedRange[],
  rank: number,
): StateTensor {
  if (ranges.length === 0) return { length, parts: [{ start: 0, length, owner: undefined, tensor: held }] };
  const parts = ranges.map((range) => ({
    ...{ start: range.start - start, length: range.length, owner: range.owner },
    ...(range.owner === rank && { tensor: held }),
  }));
  return { length, parts: parts.filter((part) => part.length > 0) };
}

/** `length` elements from `start` in one range for each rank, on cache lines. */
export function evenRanges(start: number, length: number, size: number): OwnedRange[] {
  const bound = (rank: number) => (rank === size ? length : Math.floor((length * rank) / size / 64) * 64);
  return Array.from({ length: size }, (_, owner) => ({
    owner,
    start: start + bound(owner),
    length: bound(owner + 1) - bound(owner),
  }));
}
