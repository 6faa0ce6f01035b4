/** A tensor is a shape over an opaque handle: only its backend knows where the numbers are. */

/** Element types of the contract: f32 for what must be exact, bf16 for activations in mixed precision, i32 for ids. */
export type ElementType = "f32" | "bf16" | "i32";

/** Bytes that one element takes. */
export const elementBytes: Record<ElementType, number> = { f32: 4, bf16: 2, i32: 4 };

/** Memory of a backend. What is in it beyond its length is the backend's own business. */
export interface Storage {
  readonly bytes: number;
}

/**
 * Rows of elements in a storage: element [i₀, …, r, c] lies at `offset + (row index) · rowStride + c`, where the row
 * index counts all axes but the last in row-major order. `rowStride` equals the last axis except in column views.
 */
export interface Tensor {
  readonly storage: Storage;
  /** First element, counted in elements from the start of the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements from one row to the next. */
  readonly rowStride: number;
  readonly type: ElementType;
}

/** The number of elements of a tensor. */
export function elementCount(tensor: Tensor): number {
  return product(tensor.shape, tensor.shape.length);
}

/** Every kernel asks for sizes several times a call: no closure, no copy. */
function product(shape: readonly number[], axes: number): number {
  let count = 1;
  for (let axis = 0; axis < axes; axis++) count *= shape[axis];
  return count;
}

/** The length of the last axis (1 for a scalar). */
export function widthOf(tensor: Tensor): number {
  return tensor.shape.length === 0 ? 1 : tensor.shape[tensor.shape.length - 1];
}

/** The product of all axes but the last. */
export function rowsOf(tensor: Tensor): number {
  return product(tensor.shape, tensor.shape.length - 1);
}

/** True where the rows follow each other without gaps. */
export function isContiguous(tensor: Tensor): boolean {
  return tensor.rowStride === widthOf(tensor) || rowsOf(tensor) <= 1;
}

/** A contiguous tensor over `storage`, starting at element `offset`. */
export function tensorOver(storage: Storage, shape: readonly number[], type: ElementType = "f32", offset = 0): Tensor {
  return { storage, offset, shape, rowStride: shape.length === 0 ? 1 : shape[shape.length - 1], type };
}

/** The same elements under another shape; the tensor must be contiguous and the counts equal. */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  if (!isContiguous(tensor) || shape.reduce((a, b) => a * b, 1) !== elementCount(tensor)) {
    throw new RangeError(`a tensor of shape [${tensor.shape}] cannot be seen as [${shape}]`);
  }
  return tensorOver(tensor.storage, shape, tensor.type, tensor.offset);
}

/** Columns [start, start + count) of every row, without a copy: shape [rows, count]. */
export function columns(tensor: Tensor, start: number, count: number): Tensor {
  if (start < 0 || start + count > widthOf(tensor)) {
    throw new RangeError(`columns ${start}–${start + count} are outside a tensor of shape [${tensor.shape}]`);
  }
  return { ...tensor, offset: tensor.offset + start, shape: [rowsOf(tensor), count] };
}

/** Rows [start, start + count), without a copy: shape [count, width]. */
export function rows(tensor: Tensor, start: number, count: number): Tensor {
  if (start < 0 || start + count > rowsOf(tensor)) {
    throw new RangeError(`rows ${start}–${start + count} are outside a tensor of shape [${tensor.shape}]`);
  }
  return { ...tensor, offset: tensor.offset + start * tensor.rowStride, shape: [count, widthOf(tensor)] };
}
