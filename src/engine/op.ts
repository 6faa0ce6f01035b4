/** What an op is: a forward and a backward over tensors, written in kernels of the backend. */
import type { Backend } from "./backend.ts";
import type { ElementType, Tensor } from "./tensor.ts";

/** What an op may ask of the engine while it runs. Memory lives until the step no longer needs it. */
export interface OpContext {
  readonly backend: Backend;
  /** True while gradients are recorded: an op then keeps what its backward needs. */
  readonly recording: boolean;
  allocate(shape: readonly number[], type?: ElementType): Tensor;
  /** Gives memory back before the step ends: what `allocate` gave and only this op uses. */
  free(tensor: Tensor): void;
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
  /**
   * Memory for the input's gradient, in f32, to be added to or overwritten; undefined where none is needed. For kernels that
   * fill several gradients at once.
   */
  claim(input: Name): { readonly gradient: Tensor; readonly accumulate: boolean } | undefined;
  /** As `accumulate`, but `fill` is always called: with scratch memory where the input needs no gradient. */
  accumulateOrScratch(input: Name, fill: (gradient: Tensor) => void): void;
}

/** Tensors by name; optional inputs may be absent. */
export type Tensors<Name extends string> = { readonly [N in Name]: Tensor };
export type PartialTensors<Name extends string> = { readonly [N in Name]?: Tensor };

/** What a forward pass left behind. Only what the op keeps may be read. */
export interface OpValues<Input extends string, Output extends string, Saved extends string> {
  readonly inputs: Tensors<Input>;
  readonly outputs: Tensors<Output>;
  readonly saved: PartialTensors<Saved>;
}

/** One op of the contract (DESIGN.md §3). */
export interface Op<Input extends string, Output extends string, Saved extends string, Options> {
  readonly name: string;
  /** Inputs that carry gradients. Integer tensors (ids, positions, masks) go in the options. */
  readonly inputs: readonly Input[];
  /** Outputs that share the memory of an input, which must not be used afterwards. */
  readonly inPlace?: { readonly [O in Output]?: Input };
  /** Inputs that may be bf16. The others are converted to f32 before the op sees them. */
  readonly takesBfloat16?: readonly Input[];
  /** True where `backward` takes gradients of another type than the output's; else they are converted first. */
  readonly takesAnyGradient?: boolean;
  /** The inputs and outputs that `backward` reads: all of them if left out. */
  readonly keeps?: readonly (Input | Output)[];
  /** Outputs that are cheap to compute again from what the op keeps: see `Engine.release`. */
  readonly recompute?: {
    readonly [O in Output]?: (context: OpContext, values: OpValues<Input, Output, Saved>, options: Options) => Tensor;
  };
  /**
   * True for a loss: its outputs end the tape, so that the gradient reaching it is 1. While recording, its forward gets a
   * sink, into which it may put gradients that come out of the same numbers as the loss.
   */
  readonly objective?: boolean;
  forward(
    context: OpContext,
    inputs: Tensors<Input>,
    options: Options,
    sink?: GradientSink<Input>,
  ): { outputs: Tensors<Output>; saved?: PartialTensors<Saved> };
  /** `gradients` holds those of the outputs that reached the loss. */
  backward(
    context: OpContext,
    gradients: PartialTensors<Output>,
    values: OpValues<Input, Output, Saved>,
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
