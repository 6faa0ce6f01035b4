/** The tape: runs ops eagerly, remembers them while recording, and walks back through them for the gradients. */
import type { Backend } from "./backend.ts";
import { MemoryPool } from "./memory.ts";
import type { AnyOp, GradientSink, Op, OpContext, OpValues, PartialTensors } from "./op.ts";
import { cast } from "./ops/cast.ts";
import type { ArenaUse } from "./parameters.ts";
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

/** What a linear layer adds to its output, given that and the layer's input; it may write into the output's memory. */
export type LinearAdapter = (engine: Engine, out: Variable, x: Variable) => Variable;

/** How an engine works. */
export interface EngineOptions {
  /** Keep only inputs and outputs of what runs in `checkpoint`, and compute the rest again in the backward pass. */
  readonly activationCheckpointing?: boolean;
  /** What the parameters of models made on this engine are for: training, if left out. */
  readonly use?: ArenaUse;
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
  /** What linear layers add to their output, by their weight. */
  private readonly adapters = new Map<Variable, LinearAdapter>();
  /** Gradients on their way through the tape. */
  private gradients = new Map<Variable, Tensor>();
  /** Released outputs that their op computes again when they are wanted, and those that were. */
  private readonly recomputable = new Map<Variable, { node: Node; name: string }>();
  private readonly recomputed = new Map<Variable, Tensor>();
  /** Told of every op that the backward pass is done with. */
  private finished: ((node: Node) => void) | undefined;
  /** What existed before the stretch that now runs without keeping its activations. */
  private outside: ReadonlySet<Tensor> | undefined;

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

  get use(): ArenaUse {
    return this.options.use ?? "training";
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
      this.gradients = new Map();
      this.recomputable.clear();
      this.recomputed.clear();
      for (const tensor of this.scopeTensors) this.pool.release(tensor);
      this.scopeTensors = undefined;
    }
  }

  /** Runs an op now. Its outputs require gradients if any input does and the scope records. */
  run<Input extends string, Output extends string, Saved extends string, Options>(
    op: Op<Input, Output, Saved, Options>,
    given: { readonly [N in Input]: Variable },
    options: Options,
  ): { readonly [N in Output]: Variable } {
    const inputs = {} as Record<Input, Variable>;
    const tensors = {} as Record<Input, Tensor>;
    let requiresGradient = false;
    for (const name in given) {
      const variable = this.convertedFor(op, name, given[name]);
      if (this.objectives.has(variable))
        throw new Error(`${op.name}: the input "${name}" is a loss, which ends the tape`);
      inputs[name] = variable;
      tensors[name] = variable.tensor;
      if (variable.requiresGradient) requiresGradient = this.recordingNow;
    }
    const sink = op.objective && requiresGradient ? this.sinkFor(inputs) : undefined;
    const { outputs, saved } = op.forward(this, tensors, options, sink as GradientSink<Input> | undefined);
    const variables = {} as Record<Output, Variable>;
    for (const name in outputs) {
      variables[name] = { tensor: outputs[name], requiresGradient };
      if (op.objective) this.objectives.add(variables[name]);
    }
    if (requiresGradient) {
      this.tape.push({
        op: op as unknown as AnyOp,
        inputs,
        outputs: variables,
        saved: saved ?? {},
        options: options as never,
      });
    }
    return this.adapters.size === 0 ? variables : this.adapted(inputs, variables);
  }

  /** From now on every linear layer of that weight adds to its output what the adapter says; nothing more if left out. */
  adaptLinear(weight: Variable, adapter?: LinearAdapter): void {
    if (adapter === undefined) this.adapters.delete(weight);
    else this.adapters.set(weight, adapter);
  }

  private adapted<Outputs extends Record<string, Variable>>(
    { weight, x }: { readonly weight?: Variable; readonly x?: Variable },
    outputs: Outputs,
  ): Outputs {
    const adapter = weight && this.adapters.get(weight);
    return adapter === undefined || x === undefined ? outputs : { ...outputs, out: adapter(this, outputs.out, x) };
  }

  /** The input as the op takes it: bf16 becomes f32 where the op does not say that it takes bf16. */
  private convertedFor<Input extends string>(
    op: { readonly takesBfloat16?: readonly Input[] },
    name: Input,
    variable: Variable,
  ): Variable {
    if (variable.tensor.type !== "bf16" || op.takesBfloat16?.includes(name)) return variable;
    return this.run(cast, { x: variable }, { type: "f32" }).out;
  }

  /**
   * Tells that the forward pass uses these variables no more. What no backward pass reads is given back at once, and so is
   * what its op can cheaply compute again.
   */
  release(...variables: readonly Variable[]): void {
    for (const variable of variables) {
      if (!this.recordingNow) {
        if (!this.outside?.has(variable.tensor)) this.free(variable.tensor);
        continue;
      }
      const { isRead, producer } = this.readersOf(variable);
      if (isRead && producer === undefined) continue;
      if (isRead) this.recomputable.set(variable, producer!);
      this.free(variable.tensor);
    }
  }

  /** Whether any backward pass reads the variable, and its op, if that can compute it again. */
  private readersOf(variable: Variable): { isRead: boolean; producer?: { node: Node; name: string } } {
    let isRead = false;
    for (let i = this.tape.length - 1; i >= 0; i--) {
      const entry = this.tape[i];
      const output = Object.keys(entry.outputs).find((name) => entry.outputs[name] === variable);
      if ("again" in entry) {
        // What runs again may read anything that was there before.
        return { isRead: output === undefined };
      }
      const { op, inputs } = entry;
      const keeps = (name: string) => op.keeps?.includes(name) ?? true;
      for (const name in inputs) if (inputs[name] === variable && keeps(name)) isRead = true;
      if (output === undefined) continue;
      if (keeps(output)) return { isRead: true };
      return { isRead, producer: op.recompute?.[output] && { node: entry, name: output } };
    }
    return { isRead };
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
    this.outside = before;
    const computed = work();
    this.outside = undefined;
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
    for (const loss of losses) {
      if (elementCount(loss.tensor) !== 1) throw new RangeError(`a loss has one element, not [${loss.tensor.shape}]`);
      const seed = this.allocate([1]);
      this.backend.kernels.fill(seed, 1);
      this.gradients.set(loss, seed);
    }
    this.walkBack(0, losses);
  }

  /**
   * As `backward`, and tells of every parameter once nothing more is added to its gradient (of none under activation
   * checkpointing), so that it may be sent off while the walk goes on.
   */
  backwardTelling(onFinished: (parameter: Variable) => void, ...losses: readonly Variable[]): void {
    this.finished = this.readersLeft(onFinished);
    try {
      this.backward(...losses);
    } finally {
      this.finished = undefined;
    }
  }

  /** Counts the ops that read each parameter; what is returned is told of every op that the walk is done with. */
  private readersLeft(onFinished: (parameter: Variable) => void): ((node: Node) => void) | undefined {
    const left = new Map<Variable, number>();
    const parametersOf = ({ inputs }: Node) =>
      Object.values(inputs).filter((one) => one?.parameterGradient !== undefined);
    for (const entry of this.tape) {
      // What runs again in the backward pass may read any parameter.
      if ("again" in entry) return undefined;
      for (const parameter of parametersOf(entry)) left.set(parameter, (left.get(parameter) ?? 0) + 1);
    }
    return (node) => {
      for (const parameter of parametersOf(node)) {
        const count = left.get(parameter)! - 1;
        left.set(parameter, count);
        if (count === 0) onFinished(parameter);
      }
    };
  }

  /**
   * As `backward`, for a tape that ends in variables whose gradients are known already: the loss was computed elsewhere
   * from their values (gradient caching).
   */
  backwardFrom(ends: readonly { readonly variable: Variable; readonly gradient: Tensor }[]): void {
    for (const { variable, gradient } of ends) {
      // A copy that the walk may free or write into.
      const own = this.allocate(gradient.shape);
      this.backend.kernels.copy(own, gradient);
      this.gradients.set(variable, own);
    }
    this.walkBack(0, []);
  }

  /** Takes the tape back to its first `length` entries. */
  private walkBack(length: number, losses: readonly Variable[]): void {
    while (this.tape.length > length) {
      const entry = this.tape.pop()!;
      if ("again" in entry) this.backwardCheckpoint(entry, losses);
      else {
        this.backwardNode(entry, losses);
        this.finished?.(entry);
      }
    }
  }

  private backwardCheckpoint({ outputs, again }: Checkpoint, losses: readonly Variable[]): void {
    const { gradients } = this;
    const length = this.tape.length;
    const repeated = again();
    for (const [name, variable] of Object.entries(outputs)) {
      const gradient = gradients.get(variable);
      gradients.delete(variable);
      if (gradient !== undefined) gradients.set(repeated[name], gradient);
      this.free(variable.tensor);
    }
    this.walkBack(length, losses);
  }

  private backwardNode(node: Node, losses: readonly Variable[]): void {
    const { gradients } = this;
    const outputGradients: Record<string, Tensor> = {};
    let reached = false;
    for (const name in node.outputs) {
      const variable = node.outputs[name];
      const gradient = gradients.get(variable);
      if (gradient === undefined) continue;
      outputGradients[name] = node.op.takesAnyGradient ? gradient : this.gradientAs(variable.tensor.type, variable);
      reached = true;
    }
    if (reached) {
      node.op.backward(this, outputGradients, this.valuesOf(node), node.options, this.sinkFor(node.inputs));
    }
    for (const name in node.outputs) {
      const variable = node.outputs[name];
      const gradient = gradients.get(variable);
      if (gradient !== undefined) this.free(gradient);
      gradients.delete(variable);
      const again = this.recomputed.get(variable);
      if (again !== undefined) this.free(again);
      this.recomputed.delete(variable);
      this.recomputable.delete(variable);
      // The memory of an in-place output belongs to the op that first made it.
      if (!losses.includes(variable) && node.op.inPlace?.[name] === undefined) this.free(variable.tensor);
    }
    for (const name in node.saved) this.free(node.saved[name]!);
  }

  /** What the node's op keeps, computed again where it was released. */
  private valuesOf(node: Node): OpValues<string, string, string> {
    const tensorOf = (variable: Variable, name: string): Tensor => {
      const again = this.recomputed.get(variable);
      const source = this.recomputable.get(variable);
      if (again !== undefined || source === undefined || node.op.keeps?.includes(name) === false) {
        return again ?? variable.tensor;
      }
      const { op, options } = source.node;
      const tensor = op.recompute![source.name]!(this, this.valuesOf(source.node), options);
      this.recomputed.set(variable, tensor);
      return tensor;
    };
    const tensorsOf = (variables: Readonly<Record<string, Variable>>) => {
      const tensors: Record<string, Tensor> = {};
      for (const name in variables) tensors[name] = tensorOf(variables[name], name);
      return tensors;
    };
    return { inputs: tensorsOf(node.inputs), outputs: tensorsOf(node.outputs), saved: node.saved };
  }

  /** The gradient of a variable in the given type. */
  private gradientAs(type: ElementType, variable: Variable): Tensor {
    const gradient = this.gradients.get(variable)!;
    if (gradient.type === type) return gradient;
    const converted = this.allocate(gradient.shape, type);
    this.backend.kernels.copy(converted, gradient);
    this.free(gradient);
    this.gradients.set(variable, converted);
    return converted;
  }

  private sinkFor(inputs: Readonly<Record<string, Variable>>): GradientSink<string> {
    const { gradients } = this;
    const { kernels } = this.backend;
    const settle = (name: string, fill: (existing: Tensor | undefined, variable: Variable) => Tensor | undefined) => {
      const variable = inputs[name];
      if (variable === undefined || !variable.requiresGradient) return;
      const made = fill(variable.parameterGradient ?? this.writable(variable), variable);
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
      claim: (name) => {
        let claimed: { gradient: Tensor; accumulate: boolean } | undefined;
        settle(name, (existing, variable) => {
          const gradient = existing ?? this.allocate(variable.tensor.shape);
          claimed = { gradient, accumulate: existing !== undefined };
          return existing === undefined ? gradient : undefined;
        });
        return claimed;
      },
      accumulateOrScratch: (name, fill) => {
        if (inputs[name].requiresGradient) return accumulate(name, fill);
        const scratch = this.allocate(inputs[name].tensor.shape);
        kernels.fill(scratch, 0);
        fill(scratch);
        this.free(scratch);
      },
      overwrite: (name, fill) =>
        settle(name, (existing, variable) => {
          const fresh = this.allocate(variable.tensor.shape, variable.tensor.type);
          fill(fresh);
          if (existing === undefined) return fresh;
          kernels.add(existing, existing, fresh);
          this.free(fresh);
          return undefined;
        }),
      either: (name, fill) =>
        settle(name, (existing, variable) => {
          const target = existing ?? this.allocate(variable.tensor.shape, variable.tensor.type);
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
  private writable(variable: Variable): Tensor | undefined {
    const gradient = this.gradients.get(variable);
    if (gradient === undefined || !this.pool.isShared(gradient)) return gradient;
    const own = this.allocate(gradient.shape, gradient.type);
    this.backend.kernels.copy(own, gradient);
    this.free(gradient);
    this.gradients.set(variable, own);
    return own;
  }

  /** Gives memory of the current scope back before its end. */
  free(tensor: Tensor): void {
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
