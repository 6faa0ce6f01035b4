/** Native memory and the checks before a pointer leaves TypeScript. */
import {
  type ElementType,
  elementBytes,
  isContiguous,
  rowsOf,
  type Storage,
  type Tensor,
  widthOf,
} from "../../tensor.ts";

/** Memory of the native allocator. */
export class NativeStorage implements Storage {
  /** 0 once it is released. */
  address: number;

  constructor(
    address: number,
    readonly bytes: number,
  ) {
    this.address = address;
  }
}

/** The address of the first element; row strides are the caller's business. Throws for foreign or released memory. */
export function addressOf(tensor: Tensor, type: ElementType, what: string): number {
  const { storage } = tensor;
  if (!(storage instanceof NativeStorage)) throw new TypeError(`${what}: the tensor belongs to another backend`);
  if (storage.address === 0) throw new TypeError(`${what}: the tensor's memory was released`);
  if (tensor.type !== type) throw new TypeError(`${what}: expected ${type}, got ${tensor.type}`);
  const end = tensor.offset + Math.max(0, rowsOf(tensor) - 1) * tensor.rowStride + widthOf(tensor);
  if (end * elementBytes[type] > storage.bytes) {
    throw new RangeError(`${what}: a tensor of shape [${tensor.shape}] ends outside its memory`);
  }
  return storage.address + tensor.offset * elementBytes[type];
}

/** 1 for bf16, 0 for f32; other types are refused. */
export function bfloat16Flag(tensor: Tensor, what: string): number {
  if (tensor.type === "i32") throw new TypeError(`${what}: expected f32 or bf16, got i32`);
  return Number(tensor.type === "bf16");
}

/** Address and type flag of a contiguous f32 or bf16 tensor; zeros for one that is left out. */
export function numbers(tensor: Tensor | undefined, what: string): [number, number] {
  if (tensor === undefined) return [0, 0];
  return [flat(tensor, what, tensor.type), bfloat16Flag(tensor, what)];
}

/** Address, row stride and type flag of an f32 or bf16 tensor. */
export function stridedNumbers(tensor: Tensor, what: string): [number, number, number] {
  return [addressOf(tensor, tensor.type, what), tensor.rowStride, bfloat16Flag(tensor, what)];
}

/** The type that all tensors have in common. Throws TypeError where they differ. */
export function commonType(what: string, ...tensors: readonly Tensor[]): ElementType {
  const [{ type }] = tensors;
  for (const other of tensors) {
    if (other.type !== type)
      throw new TypeError(`${what}: expected ${type} as the first tensor has, got ${other.type}`);
  }
  return type;
}

/** As `addressOf` for a tensor that must be contiguous. */
export function flat(tensor: Tensor, what: string, type: ElementType = "f32"): number {
  if (!isContiguous(tensor)) throw new RangeError(`${what}: a tensor of shape [${tensor.shape}] must be contiguous`);
  return addressOf(tensor, type, what);
}

/** Throws RangeError unless rows and width are as expected. */
export function requireShape(tensor: Tensor, rows: number, width: number, what: string): void {
  if (rowsOf(tensor) !== rows || widthOf(tensor) !== width) {
    throw new RangeError(`${what}: expected [${rows}, ${width}], got [${tensor.shape}]`);
  }
}
