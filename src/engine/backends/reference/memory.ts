/** Memory of the reference backend: an ArrayBuffer a storage. */
import { elementCount, isContiguous, rowsOf, type Storage, type Tensor, widthOf } from "../../tensor.ts";

/** A storage whose numbers the reference kernels may look at. */
export class HostStorage implements Storage {
  private static count = 0;
  /** Tells storages apart. */
  readonly id = HostStorage.count++;
  readonly buffer: ArrayBuffer;

  constructor(readonly bytes: number) {
    this.buffer = new ArrayBuffer(bytes);
  }
}

function bufferOf(tensor: Tensor): ArrayBuffer {
  if (!(tensor.storage instanceof HostStorage)) throw new TypeError("the tensor belongs to another backend");
  return tensor.storage.buffer;
}

/** The elements of a contiguous f32 tensor. */
export function floats(tensor: Tensor, what: string): Float32Array {
  if (!isContiguous(tensor)) throw new RangeError(`${what}: a tensor of shape [${tensor.shape}] must be contiguous`);
  return spanning(tensor, what).subarray(0, elementCount(tensor));
}

/** The elements of an f32 tensor from its first one to the end of its storage: index by `rowStride`. */
export function spanning(tensor: Tensor, what: string): Float32Array {
  if (tensor.type !== "f32") throw new TypeError(`${what}: expected f32, got ${tensor.type}`);
  return new Float32Array(bufferOf(tensor), tensor.offset * 4);
}

/** The bits of a bf16 tensor's elements from its first one to the end of its storage. */
export function halves(tensor: Tensor): Uint16Array {
  return new Uint16Array(bufferOf(tensor), tensor.offset * 2);
}

/** The elements of a contiguous i32 tensor. */
export function integers(tensor: Tensor, what: string): Int32Array {
  if (tensor.type !== "i32" || !isContiguous(tensor)) {
    throw new TypeError(`${what}: expected contiguous i32, got ${tensor.type} of shape [${tensor.shape}]`);
  }
  return new Int32Array(bufferOf(tensor), tensor.offset * 4, elementCount(tensor));
}

/** Throws RangeError unless rows and width are as expected. */
export function requireMatrix(tensor: Tensor, rows: number, width: number, what: string): void {
  if (rowsOf(tensor) !== rows || widthOf(tensor) !== width) {
    throw new RangeError(`${what}: expected [${rows}, ${width}], got [${tensor.shape}]`);
  }
}
