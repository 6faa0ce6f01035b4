/** Tensors with seeded random content, the same on every backend. */
import {
  type Backend,
  elementBytes,
  elementCount,
  type Precision,
  type Tensor,
  tensorOver,
} from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";

export class Workbench {
  private readonly random: Random;

  constructor(
    readonly backend: Backend,
    seed: number,
    /** What `numbers` and its fellows are. */
    readonly numberType: Precision = "f32",
  ) {
    this.random = new Random(seed);
  }

  /** Standard normal values times `scale`. */
  normal(shape: readonly number[], scale = 1): Tensor {
    const out = this.empty(shape);
    this.backend.write(
      out,
      Float32Array.from({ length: elementCount(out) }, () => this.random.normal() * scale),
    );
    return out;
  }

  /** As `normal`, rows `extra` elements further apart than they are long; the gaps hold values too. */
  strided(rows: number, width: number, extra: number): Tensor {
    const whole = this.normal([rows, width + extra]);
    return { ...whole, shape: [rows, width] };
  }

  /** As `normal`, in the bench's number type. */
  numbers(shape: readonly number[], scale = 1): Tensor {
    return this.inNumberType(this.normal(shape, scale));
  }

  stridedNumbers(rows: number, width: number, extra: number): Tensor {
    const whole = this.numbers([rows, width + extra]);
    return { ...whole, shape: [rows, width] };
  }

  emptyNumbers(shape: readonly number[]): Tensor {
    return this.inNumberType(this.empty(shape));
  }

  private inNumberType(tensor: Tensor): Tensor {
    if (this.numberType === "f32") return tensor;
    const bytes = Math.max(64, elementCount(tensor) * elementBytes.bf16);
    const out = tensorOver(this.backend.allocate(bytes), tensor.shape, "bf16");
    this.backend.kernels.copy(out, tensor);
    return out;
  }

  values(data: Float32Array | Int32Array, shape: readonly number[] = [data.length]): Tensor {
    const storage = this.backend.allocate(Math.max(64, data.byteLength));
    const out = tensorOver(storage, shape, data instanceof Int32Array ? "i32" : "f32");
    this.backend.write(out, data);
    return out;
  }

  below(limit: number, count: number): number[] {
    return Array.from({ length: count }, () => this.random.below(limit));
  }

  /** Unspecified content, made visible as NaN: a kernel that leaves an element out shows. */
  empty(shape: readonly number[]): Tensor {
    const count = shape.reduce((a, b) => a * b, 1);
    return this.values(new Float32Array(count).fill(Number.NaN), shape);
  }
}

/** Elements of a tensor, its gaps left out. */
export async function elementsOf(backend: Backend, tensor: Tensor): Promise<Float32Array> {
  const width = tensor.shape[tensor.shape.length - 1] ?? 1;
  const rowCount = elementCount(tensor) / width;
  if (tensor.rowStride === width) return backend.read(tensor);
  const span = tensorOver(tensor.storage, [(rowCount - 1) * tensor.rowStride + width], tensor.type, tensor.offset);
  const all = await backend.read(span);
  const out = new Float32Array(rowCount * width);
  for (let row = 0; row < rowCount; row++) {
    out.set(all.subarray(row * tensor.rowStride, row * tensor.rowStride + width), row * width);
  }
  return out;
}

/** The largest difference as a share of the largest expected value; NaN where either has a NaN. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  let [difference, size] = [0, 1e-30];
  for (let i = 0; i < expected.length; i++) {
    const one = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(one)) return Number.NaN;
    difference = Math.max(difference, one);
    size = Math.max(size, Math.abs(expected[i]));
  }
  return difference / size;
}

/** Whether two lists of outputs agree bit for bit. */
export function sameBits(one: readonly Float32Array[], other: readonly Float32Array[]): boolean {
  const bytes = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return one.length === other.length && one.every((data, i) => bytes(data).equals(bytes(other[i])));
}
