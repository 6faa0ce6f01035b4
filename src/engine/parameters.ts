/** All parameters of a model in one arena, all gradients in another: optimizers and clipping walk them in one call. */
import { mixKeys, Random } from "../foundation/index.ts";
import type { Backend } from "./backend.ts";
import type { Variable } from "./engine.ts";
import { elementBytes, elementCount, type Storage, type Tensor, tensorOver } from "./tensor.ts";

/** How a parameter starts. */
export type Initialization =
  | { readonly kind: "normal"; readonly standardDeviation: number }
  | { readonly kind: "constant"; readonly value: number };

/** A parameter of a model, before it has memory. */
export interface ParameterSpecification {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialization: Initialization;
  /** Whether weight decay applies: matrices yes, norms and biases no. */
  readonly decay: boolean;
  /**
   * Only for hidden matrices, which Muon may step: the rows of each independent matrix stacked in this one (query, key
   * and value; gate and up). Embeddings and heads, whose rows are looked up one by one, have none.
   */
  readonly hiddenRows?: readonly number[];
}

/** A named variable whose gradient accumulates in the arena. */
export interface Parameter extends Variable {
  readonly name: string;
  readonly specification: ParameterSpecification;
  readonly parameterGradient: Tensor;
}

/** A stretch of the arena with one treatment by the optimizer, counted in elements. */
export interface ParameterGroup {
  readonly decay: boolean;
  /** Whether all of it is hidden matrices. */
  readonly hidden: boolean;
  readonly start: number;
  readonly length: number;
}

/**
 * What an arena is for: training holds f32 weights with gradients; inference holds weights alone, matrices in the element
 * type given.
 */
export type ArenaUse = "training" | { readonly matrices: "f32" | "bf16" };

const alignment = 64; // elements: parameters start on cache lines for every element size

const pieceElements = 1 << 18;

/** Parameters, gradients and groups over two storages of a backend. Gradients start at zero. */
export class ParameterArena {
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly groups: readonly ParameterGroup[];
  /** Elements of either arena, padding included. */
  readonly length: number;
  /** Absent in inference, where every parameter has memory of its own. */
  private readonly arenas: { readonly values: Storage; readonly gradients: Storage } | undefined;
  private readonly storages: Storage[];

  constructor(
    readonly backend: Backend,
    specifications: readonly ParameterSpecification[],
    use: ArenaUse = "training",
  ) {
    const treatments = [
      { decay: true, hidden: true },
      { decay: true, hidden: false },
      { decay: false, hidden: false },
    ];
    const ordered: ParameterSpecification[] = [];
    const starts: number[] = [];
    const groups: ParameterGroup[] = [];
    let length = 0;
    for (const { decay, hidden } of treatments) {
      const start = length;
      for (const specification of specifications) {
        const isHidden = specification.hiddenRows !== undefined && specification.decay;
        if (specification.decay !== decay || isHidden !== hidden) continue;
        ordered.push(specification);
        starts.push(length);
        const elements = specification.shape.reduce((a, b) => a * b, 1);
        length += Math.ceil(elements / alignment) * alignment;
      }
      if (length > start) groups.push({ decay, hidden, start, length: length - start });
    }
    this.groups = groups;
    this.length = length;
    if (use === "training") {
      this.arenas = { values: backend.allocate(length * 4), gradients: backend.allocate(length * 4) };
      this.storages = [this.arenas.values, this.arenas.gradients];
      // Padding must be zero and stay so: the gradient norm and the optimizer run over it.
      backend.kernels.fill(this.valueArena(), 0);
      this.zeroGradients();
    } else {
      this.storages = [];
    }
    const parameters = new Map<string, Parameter>();
    ordered.forEach((specification, index) => {
      const { name, shape } = specification;
      if (parameters.has(name)) throw new Error(`two parameters are named ${name}`);
      parameters.set(
        name,
        this.arenas === undefined
          ? this.inferenceParameter(specification, use === "training" ? "f32" : use.matrices)
          : {
              name,
              specification,
              requiresGradient: true,
              tensor: tensorOver(this.arenas.values, shape, "f32", starts[index]),
              parameterGradient: tensorOver(this.arenas.gradients, shape, "f32", starts[index]),
            },
      );
    });
    this.parameters = parameters;
  }

  private inferenceParameter(specification: ParameterSpecification, matrices: "f32" | "bf16"): Parameter {
    const { name, shape } = specification;
    const type = shape.length === 2 ? matrices : "f32";
    const storage = this.backend.allocate(shape.reduce((a, b) => a * b, 1) * elementBytes[type]);
    this.storages.push(storage);
    return {
      name,
      specification,
      requiresGradient: false,
      tensor: tensorOver(storage, shape, type),
      get parameterGradient(): Tensor {
        throw new Error(`${name} is held for inference: it has no gradient`);
      },
    };
  }

  /** The parameter of that name; an unknown name is a mistake of the model. */
  get(name: string): Parameter {
    const parameter = this.parameters.get(name);
    if (parameter === undefined) throw new Error(`no parameter is named ${name}`);
    return parameter;
  }

  /** The number of trainable values, padding not counted. */
  get count(): number {
    let total = 0;
    for (const parameter of this.parameters.values()) total += elementCount(parameter.tensor);
    return total;
  }

  /** Fills every parameter from (seed, its name) alone, so that adding one does not change the others. */
  initialize(seed: number): void {
    const piece = new Float32Array(pieceElements);
    for (const parameter of this.parameters.values()) {
      const { initialization, name } = parameter.specification;
      const random = new Random(seed, mixKeys(...Buffer.from(name)));
      const count = elementCount(parameter.tensor);
      // In pieces: an array as large as an embedding would stay with the collector for long.
      for (let start = 0; start < count; start += pieceElements) {
        const data = piece.subarray(0, Math.min(pieceElements, count - start));
        if (initialization.kind === "constant") data.fill(initialization.value);
        else for (let i = 0; i < data.length; i++) data[i] = random.normal() * initialization.standardDeviation;
        const { storage, offset } = parameter.tensor;
        this.backend.write(tensorOver(storage, [data.length], "f32", offset + start), data);
      }
    }
  }

  zeroGradients(): void {
    this.backend.kernels.fill(this.gradientArena(), 0);
  }

  valueArena(start = 0, length = this.length): Tensor {
    return tensorOver(this.trained().values, [length], "f32", start);
  }

  gradientArena(start = 0, length = this.length): Tensor {
    return tensorOver(this.trained().gradients, [length], "f32", start);
  }

  private trained() {
    if (this.arenas === undefined) throw new Error("weights held for inference are in no arena");
    return this.arenas;
  }

  dispose(): void {
    for (const storage of this.storages) this.backend.release(storage);
  }
}
