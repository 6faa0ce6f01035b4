/** Sums gradients over ranks in buckets, each as soon as the backward pass has finished the last of its parameters. */
import type { Communicator, ReductionPrecision } from "../cluster/index.ts";
import type { Backend, ParameterArena, Variable } from "../engine/index.ts";

interface Bucket {
  readonly start: number;
  readonly length: number;
  readonly parameters: number;
}

/** The gradient arena in buckets. All ranks walk the same tape and therefore begin the same buckets in the same order. */
export class GradientReducer {
  private readonly buckets: readonly Bucket[];
  private readonly bucketOf = new Map<Variable, number>();
  /** Parameters of each bucket that are not finished in this step; undefined once it is on its way. */
  private waiting: (number | undefined)[] = [];

  constructor(
    private readonly arena: ParameterArena,
    private readonly backend: Backend,
    private readonly ranks: Communicator,
    private readonly settings: { readonly reduction: ReductionPrecision; readonly bucketBytes: number },
  ) {
    const buckets: Bucket[] = [];
    const parameters = [...arena.parameters.values()];
    let [start, count] = [0, 0];
    parameters.forEach((parameter, index) => {
      const end = parameters[index + 1]?.tensor.offset ?? arena.length;
      this.bucketOf.set(parameter, buckets.length);
      count += 1;
      if ((end - start) * 4 < settings.bucketBytes && end < arena.length) return;
      buckets.push({ start, length: end - start, parameters: count });
      [start, count] = [end, 0];
    });
    this.buckets = buckets;
  }

  /** Before the backward pass that finishes the gradients. Returns what it tells of every finished parameter. */
  begin(): (parameter: Variable) => void {
    this.waiting = this.buckets.map(({ parameters }) => parameters);
    return (parameter) => {
      const index = this.bucketOf.get(parameter);
      const left = index === undefined ? undefined : this.waiting[index];
      if (index === undefined || left === undefined) return;
      this.waiting[index] = left - 1;
      if (left === 1) this.start(index);
    };
  }

  /** Begins what is left, and waits for all of it. */
  async finish(): Promise<void> {
    if (this.waiting.length === 0) this.begin();
    this.waiting.forEach((left, index) => {
      if (left !== undefined) this.start(index);
    });
    this.waiting = [];
    await this.ranks.finishAllReduces();
  }

  private start(index: number): void {
    const { start, length } = this.buckets[index];
    this.waiting[index] = undefined;
    this.ranks.startAllReduce(this.backend, this.arena.gradientArena(start, length), this.settings.reduction);
  }
}
