/** A LoRA on a model: its own parameters, what they add to the linear layers, and merging them into the weights. */
import {
  addLowRank,
  type Engine,
  type Parameter,
  ParameterArena,
  type Tensor,
  tensorOver,
} from "../../engine/index.ts";
import { mixKeys } from "../../foundation/index.ts";
import type { AdaptableModel } from "../model.ts";
import type { LoraSettings } from "./settings.ts";
import type { LoraTarget } from "./targets.ts";

/** Targets that are rows of one parameter. */
interface AdaptedLayer {
  readonly parameter: string;
  readonly targets: readonly LoraTarget[];
}

/**
 * Low-rank updates W + (alpha / rank) · up · down (Hu et al. 2021). `up` starts at zero, so that the model starts as it was; `down`
 * as nn.Linear does (uniform by Kaiming with √5 has the standard deviation 1/√(3 · inputs)).
 */
export class LoraAdapter {
  readonly arena: ParameterArena;
  /** Decides what dropout drops in the next passes, an integer in [0, 2³²); undefined: nothing is dropped. */
  dropoutKey: number | undefined;
  private readonly layers: readonly AdaptedLayer[];

  constructor(
    private readonly engine: Engine,
    private readonly model: AdaptableModel,
    readonly settings: LoraSettings,
    readonly targets: readonly LoraTarget[],
  ) {
    const names = [...new Set(targets.map(({ parameter }) => parameter))];
    this.layers = names.map((parameter) => ({
      parameter,
      targets: targets.filter((one) => one.parameter === parameter),
    }));
    this.arena = new ParameterArena(
      engine.backend,
      this.layers.flatMap(({ parameter, targets: some }) => [
        {
          name: `${parameter}.down`,
          shape: [some.length * settings.rank, some[0].inputs],
          initialization: { kind: "normal" as const, standardDeviation: 1 / Math.sqrt(3 * some[0].inputs) },
          decay: true,
        },
        {
          name: `${parameter}.up`,
          shape: [some.reduce((sum, { outputs }) => sum + outputs, 0), settings.rank],
          initialization: { kind: "constant" as const, value: 0 },
          decay: true,
        },
      ]),
    );
  }

  get scale(): number {
    return this.settings.alpha / this.settings.rank;
  }

  /** From now on the model's linear layers add the updates to what they give. */
  attach(): void {
    const { rank, dropout: probability } = this.settings;
    this.layers.forEach(({ parameter, targets }, index) => {
      const [down, up] = [this.arena.get(`${parameter}.down`), this.arena.get(`${parameter}.up`)];
      const blocks = targets.map(({ rowStart: start, outputs: count }) => ({ start, count }));
      this.engine.adaptLinear(this.weightOf(parameter), (engine, base, x) => {
        const { dropoutKey } = this;
        const dropped = probability > 0 && dropoutKey !== undefined;
        const dropout = dropped ? { probability, key: mixKeys(dropoutKey, index) } : undefined;
        return engine.run(addLowRank, { base, x, down, up }, { rank, scale: this.scale, blocks, dropout }).out;
      });
    });
  }

  /** The model computes as before. */
  detach(): void {
    for (const { parameter } of this.layers) this.engine.adaptLinear(this.weightOf(parameter));
  }

  /** Adds the updates to the model's weights (which must be f32), and takes the adapters off: the model computes the same. */
  merge(): void {
    this.addToWeights(1);
    this.detach();
  }

  /** Takes merged updates out of the weights again, to rounding, and puts the adapters on. */
  unmerge(): void {
    this.addToWeights(-1);
    this.attach();
  }

  /** A target's two matrices as PEFT stores them: A [rank, inputs], B [outputs, rank]. */
  matricesOf(target: LoraTarget): { readonly a: Tensor; readonly b: Tensor } {
    const { rank } = this.settings;
    const { targets } = this.layers.find(({ parameter }) => parameter === target.parameter)!;
    const index = targets.indexOf(target);
    const before = targets.slice(0, index).reduce((sum, { outputs }) => sum + outputs, 0);
    const part = ({ tensor }: Parameter, first: number, count: number) => {
      const width = tensor.shape[1];
      return tensorOver(tensor.storage, [count, width], "f32", tensor.offset + first * width);
    };
    return {
      a: part(this.arena.get(`${target.parameter}.down`), index * rank, rank),
      b: part(this.arena.get(`${target.parameter}.up`), before, target.outputs),
    };
  }

  dispose(): void {
    this.detach();
    this.arena.dispose();
  }

  private weightOf(parameter: string): Parameter {
    return this.model.arena.get(parameter);
  }

  private addToWeights(sign: 1 | -1): void {
    const { backend } = this.engine;
    for (const target of this.targets) {
      const { a, b } = this.matricesOf(target);
      const { tensor } = this.weightOf(target.parameter);
      const rowsOfWeight = tensorOver(
        tensor.storage,
        [target.outputs, target.inputs],
        tensor.type,
        tensor.offset + target.rowStart * target.inputs,
      );
      const scaled = backend.allocate(target.outputs * this.settings.rank * 4);
      try {
        const factor = tensorOver(scaled, [target.outputs, this.settings.rank]);
        backend.kernels.scale(factor, b, sign * this.scale);
        backend.kernels.matmul(rowsOfWeight, factor, a, { accumulate: true });
      } finally {
        backend.release(scaled);
      }
    }
  }
}
