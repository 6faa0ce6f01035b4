/** The tape: runs ops eagerly, remembers them while recording, and walks back through them for the gradients. */
import type { Backend } from "./backend.ts";
import { MemoryPool } from "./memory.ts";
import type { AnyOp, GradientSink, Op, OpContext, PartialTensors, Tensors } from "./op.ts";
import { type ElementType, elementCount, type Tensor } from "./tensor.ts";

/** A tensor in a computation. Gradients are kept for parameters; for others they live only during `backward`. */
export interface Variable {
  readonly tensor: Tensor;
  readonly requiresGradient: boolean;
  /** Parameters only: where gradients accumulate until the optimizer has used them. */
  readonly parameterGradient?: Tensor;
}

interface Node {
  readonly op: AnyOp;
  readonly inputs: Readonly<Record<string, Variable>>;
  readonly outputs: Readonly<Record<string, Variable>>;
  readonly saved: PartialTensors<string>;
  readonly options: never;
}

/** A stretch of ops whose activations were not kept: it runs again when its gradients are wanted. */
interface Checkpoint {
  readonly outputs: Readonly<Record<string, Variable>>;
  readonly again: () => Readonly<Record<string, Variable>>;
}

/** How an engine works. */
export interface EngineOptions {
  /** Keep only inputs and outputs of what runs in `checkpoint`, and compute the rest again in the backward pass. */
  readonly activationCheckpointing?: boolean;
}

/**
 * Eager execution with a tape over one backend. Everything allocated inside `scope` is given back at its end, or as soon
 * as the backward pass is done with it.
 */
export class Engine implements OpContext {
  readonly backend: Backend;
  private readonly pool: MemoryPool;
  private tape: (Node | Checkpoint)[] = [];
  private scopeTensors: Set<Tensor> | undefined;
  private recordingNow = false;
  private readonly objectives = new WeakSet<Variable>();

  constructor(
    backend: Backend,
    private readonly options: EngineOptions = {},
  ) {
    this.backend = backend;
    this.pool = new MemoryPool(backend);
  }

  get recording(): boolean {
    return this.recordingNow;
  }

  /** Scratch memory of the current scope. */
  allocate(shape: readonly number[], type: ElementType = "f32"): Tensor {
    if (this.scopeTensors === undefined) throw new Error("tensors are allocated inside Engine.scope");
    const tensor = this.pool.allocate(shape, type);
    this.scopeTensors.add(tensor);
    return tensor;
  }

  /** A constant from the host, in the memory of the current scope. */
  constant(data: Float32Array | Int32Array, shape: readonly number[] = [data.length]): Tensor {
    const tensor = this.allocate(shape, data instanceof Int32Array ? "i32" : "f32");
    this.backend.write(tensor, data);
    return tensor;
  }

  /** A variable from the host that no gradient flows into. */
  input(data: Float32Array, shape: readonly number[]): Variable {
    return { tensor: this.constant(data, shape), requiresGradient: false };
  }

  /** Runs `work`, then gives back all that was allocated in it. With `record`, ops are remembered for `backward`. */
  async scope<Result>(options: { record: boolean }, work: () => Promise<Result> | Result): Promise<Result> {
    if (this.scopeTensors !== undefined) throw new Error("scopes do not nest");
    this.scopeTensors = new Set();
    this.recordingNow = options.record;
    try {
      return await work();
    } finally {
      this.tape = [];
      this.recordingNow = false;
      for (const tensor of this.scopeTensors) this.pool.release(tensor);
      this.scopeTensors = undefined;
    }
  }

  /** Runs an op now. Its outputs require gradients if any input does and the scope records. */
  run<Input extends string, Output extends string, Saved extends string, Options>(
    op: Op<Input, Output, Saved, Options>,
    inputs: { readonly [N in Input]: Variable },
    options: Options,
  ): { readonly [N in Output]: Variable } {
    const tensors = Object.fromEntries(
      Object.entries<Variable>(inputs).map(([name, variable]) => [name, variable.tensor]),
    ) as unknown as Tensors<Input>;
    const requiresGradient =
      this.recordingNow && Object.values<Variable>(inputs).some((variable) => variable.requiresGradient);
    for (const [name, variable] of Object.entries<Variable>(inputs)) {
      if (this.objectives.has(variable))
        throw new Error(`${op.name}: the input "${name}" is a loss, which ends the tape`);
    }
    const { outputs, saved } = op.forward(this, tensors, options);
    const variables = Object.fromEntries(
      Object.entries<Tensor>(outputs).map(([name, tensor]) => [name, { tensor, requiresGradient }]),
    ) as unknown as { readonly [N in Output]: Variable };
    if (op.objective) for (const variable of Object.values<Variable>(variables)) this.objectives.add(variable);
    if (requiresGradient) {
      this.tape.push({
        op: op as unknown as AnyOp,
        inputs,
        outputs: variables,
        saved: saved ?? {},
        options: options as never,
      });
    }
    return variables;
  }

  /**
   * Runs `work`, a stretch of ops. With activation checkpointing (Chen et al. 2016) its inner activations are given back at
   * once and computed again in the backward pass: the same bits, less memory, one more forward pass of it. `work` must not
   * write into tensors from outside (in-place ops included), and uses only what it is given or makes.
   */
  checkpoint<Outputs extends Readonly<Record<string, Variable>>>(work: () => Outputs): Outputs {
    if (!this.recordingNow || this.options.activationCheckpointing !== true || this.scopeTensors === undefined) {
      return work();
    }
    const before = new Set(this.scopeTensors);
    this.recordingNow = false;
    const computed = work();
    this.recordingNow = true;
    const kept = new Set(Object.values(computed).map(({ tensor }) => tensor));
    for (const tensor of [...this.scopeTensors]) if (!before.has(tensor) && !kept.has(tensor)) this.free(tensor);
    const outputs = Object.fromEntries(
      Object.entries(computed).map(([name, { tensor }]) => [name, { tensor, requiresGradient: true }]),
    ) as unknown as Outputs;
    this.tape.push({ outputs, again: work });
    return outputs;
  }

  /**
   * Adds the gradients of the sum of scalar losses to every parameter's gradient. Frees activations as it goes, so the scope's
   * tensors must not be read afterwards, except the losses themselves.
   */
  backward(...losses: readonly Variable[]): void {
    const gradients = new Map<Variable, Tensor>();
    for (const loss of losses) {
      if (elementCount(loss.tensor) !== 1) throw new RangeError(`a loss has one element, not [${loss.tensor.shape}]`);
      const seed = this.allocate([1]);
      this.backend.kernels.fill(seed, 1);
      gradients.set(loss, seed);
    }
    this.walkBack(0, gradients, losses);
  }

  /**
   * As `backward`, for a tape that ends in variables whose gradients are known already: the loss was computed elsewhere
   * from their values (gradient caching).
   */
  backwardFrom(ends: readonly { readonly variable: Variable; readonly gradient: Tensor }[]): void {
    const gradients = new Map<Variable, Tensor>();
    for (const { variable, gradient } of ends) {
      // A copy that the walk may free or write into.
      const own = this.allocate(gradient.shape);
      this.backend.kernels.copy(own, gradient);
      gradients.set(variable, own);
    }
    this.walkBack(0, gradients, []);
  }

  /** Takes the tape back to its first `length` entries. */
  private walkBack(length: number, gradients: Map<Variable, Tensor>, losses: readonly Variable[]): void {
    while (this.tape.length > length) {
      const entry = this.tape.pop()!;
      if ("again" in entry) this.backwardCheckpoint(entry, gradients, losses);
      else this.backwardNode(entry, gradients, losses);
    }
  }

  private backwardCheckpoint(
    { outputs, again }: Checkpoint,
    gradients: Map<Variable, Tensor>,
    losses: readonly Variable[],
  ): void {
    const length = this.tape.length;
    const repeated = again();
    for (const [name, variable] of Object.entries(outputs)) {
      const gradient = gradients.get(variable);
      gradients.delete(variable);
      if (gradient !== undefined) gradients.set(repeated[name], gradient);
      this.free(variable.tensor);
    }
    this.walkBack(length, gradients, losses);
  }

  private backwardNode(node: Node, gradients: Map<Variable, Tensor>, losses: readonly Variable[]): void {
    const outputGradients: Record<string, Tensor> = {};
    for (const [name, variable] of Object.entries(node.outputs)) {
      const gradient = gradients.get(variable);
      if (gradient !== undefined) outputGradients[name] = gradient;
    }
    if (Object.keys(outputGradients).length > 0) {
      const values = { inputs: tensorsOf(node.inputs), outputs: tensorsOf(node.outputs), saved: node.saved };
      node.op.backward(this, outputGradients, values, node.options, this.sinkFor(node, gradients));
    }
    for (const [name, variable] of Object.entries(node.outputs)) {
      const gradient = gradients.get(variable);
      if (gradient !== undefined) this.free(gradient);
      gradients.delete(variable);
      // The memory of an in-place output belongs to the op that first made it.
      if (!losses.includes(variable) && node.op.inPlace?.[name] === undefined) this.free(variable.tensor);
    }
    for (const tensor of Object.values(node.saved)) if (tensor !== undefined) this.free(tensor);
  }

  private sinkFor(node: Node, gradients: Map<Variable, Tensor>): GradientSink<string> {
    const { kernels } = this.backend;
    const settle = (name: string, fill: (existing: Tensor | undefined, variable: Variable) => Tensor | undefined) => {
      const variable = node.inputs[name];
      if (variable === undefined || !variable.requiresGradient) return;
      const made = fill(variable.parameterGradient ?? this.writable(variable, gradients), variable);
      if (made !== undefined) gradients.set(variable, made);
    };
    const accumulate = (name: string, fill: (gradient: Tensor) => void) =>
      settle(name, (existing, variable) => {
        if (existing !== undefined) {
          fill(existing);
          return undefined;
        }
        const fresh = this.allocate(variable.tensor.shape);
        kernels.fill(fresh, 0);
        fill(fresh);
        return fresh;
      });
    return {
      accumulate,
      accumulateOrScratch: (name, fill) => {
        if (node.inputs[name].requiresGradient) return accumulate(name, fill);
        const scratch = this.allocate(node.inputs[name].tensor.shape);
        kernels.fill(scratch, 0);
        fill(scratch);
        this.free(scratch);
      },
      overwrite: (name, fill) =>
        settle(name, (existing, variable) => {
          const fresh = this.allocate(variable.tensor.shape);
          fill(fresh);
          if (existing === undefined) return fresh;
          kernels.add(existing, existing, fresh);
          this.free(fresh);
          return undefined;
        }),
      either: (name, fill) =>
        settle(name, (existing, variable) => {
          const target = existing ?? this.allocate(variable.tensor.shape);
          fill(target, existing !== undefined);
          return existing === undefined ? target : undefined;
        }),
      pass: (name, gradient) =>
        settle(name, (existing) => {
          if (existing !== undefined) {
            kernels.add(existing, existing, gradient);
            return undefined;
          }
          const copy = { ...gradient };
          this.pool.retain(copy);
          this.scopeTensors?.add(copy);
          return copy;
        }),
    };
  }

  /** The gradient so far, in memory of its own: a gradient that was passed on may still have other readers. */
  private writable(variable: Variable, gradients: Map<Variable, Tensor>): Tensor | undefined {
    const gradient = gradients.get(variable);
    if (gradient === undefined || !this.pool.isShared(gradient)) return gradient;
    const own = this.allocate(gradient.shape);
    this.backend.kernels.copy(own, gradient);
    this.free(gradient);
    gradients.set(variable, own);
    return own;
  }

  private free(tensor: Tensor): void {
    if (this.scopeTensors?.delete(tensor)) this.pool.release(tensor);
  }

  /** The single number of a scalar tensor. */
  async scalar(variable: Variable | Tensor): Promise<number> {
    const tensor = "tensor" in variable ? variable.tensor : variable;
    if (elementCount(tensor) !== 1) throw new RangeError(`a tensor of shape [${tensor.shape}] is not a scalar`);
    return (await this.backend.read(tensor))[0];
  }

  /** Gives memory that no step uses back to the system. */
  trim(): void {
    this.pool.trim();
  }
}

function tensorsOf(variables: Readonly<Record<string, Variable>>): Tensors<string> {
  return Object.fromEntries(Object.entries(variables).map(([name, variable]) => [name, variable.tensor]));
}
