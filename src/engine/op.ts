/** What an op is: a forward and a backward over tensors, written in kernels of the backend. */
import type { Backend } from "./backend.ts";
import type { ElementType, Tensor } from "./tensor.ts";

/** What an op may ask of the engine while it runs. Memory lives until the step no longer needs it. */
export interface OpContext {
  readonly backend: Backend;
  /** True while gradients are recorded: an op then keeps what its backward needs. */
  readonly recording: boolean;
  allocate(shape: readonly number[], type?: ElementType): Tensor;
}

/** Where a backward puts the gradients of its inputs. Inputs that need none are skipped without calling `fill`. */
export interface GradientSink<Name extends string> {
  /** For kernels that overwrite: `fill` gets memory of the input's shape; an earlier gradient is added afterwards. */
  overwrite(input: Name, fill: (gradient: Tensor) => void): void;
  /** For kernels that add to what is there: `fill` gets the gradient so far, zeros at first. */
  accumulate(input: Name, fill: (gradient: Tensor) => void): void;
  /** For kernels that can do both. */
  either(input: Name, fill: (gradient: Tensor, accumulate: boolean) => void): void;
  /** The gradient of the input is this very tensor (used for sums and in-place backward passes). */
  pass(input: Name, gradient: Tensor): void;
  /** As `accumulate`, but `fill` is always called: with scratch memory where the input needs no gradient. */
  accumulateOrScratch(input: Name, fill: (gradient: Tensor) => void): void;
}

/** Tensors by name; optional inputs may be absent. */
export type Tensors<Name extends string> = { readonly [N in Name]: Tensor };
export type PartialTensors<Name extends string> = { readonly [N in Name]?: Tensor };

/** One op of the contract (DESIGN.md §3). */
export interface Op<Input extends string, Output extends string, Saved extends string, Options> {
  readonly name: string;
  /** Inputs that carry gradients. Integer tensors (ids, positions, masks) go in the options. */
  readonly inputs: readonly Input[];
  /** Outputs that share the memory of an input, which must not be used afterwards. */
  readonly inPlace?: { readonly [O in Output]?: Input };
  /** True for a loss: its outputs end the tape, so that the gradient reaching its backward is 1. */
  readonly objective?: boolean;
  forward(
    context: OpContext,
    inputs: Tensors<Input>,
    options: Options,
  ): { outputs: Tensors<Output>; saved?: PartialTensors<Saved> };
  /** `gradients` holds those of the outputs that reached the loss. */
  backward(
    context: OpContext,
    gradients: PartialTensors<Output>,
    values: { inputs: Tensors<Input>; outputs: Tensors<Output>; saved: PartialTensors<Saved> },
    options: Options,
    sink: GradientSink<Input>,
  ): void;
}

/** An op of any signature, as registries and the tape hold it. */
export type AnyOp = Op<string, string, string, never>;

/** Declares an op; only the types are at work here. */
export function defineOp<Input extends string, Output extends string, Saved extends string, Options>(
  op: Op<Input, Output, Saved, Options>,
): Op<Input, Output, Saved, Options> {
  return op;
}
