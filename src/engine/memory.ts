/** Memory of a step: storages are counted by their users and reused by size, so that a step asks the system for none. */
import type { Backend } from "./backend.ts";
import { type ElementType, elementBytes, type Storage, type Tensor, tensorOver } from "./tensor.ts";

/** Reference-counted storages over a backend, reused by exact rounded size. */
export class MemoryPool {
  private readonly free = new Map<number, Storage[]>();
  private readonly users = new Map<Storage, number>();

  constructor(private readonly backend: Backend) {}

  /** A tensor with unspecified content and one user. */
  allocate(shape: readonly number[], type: ElementType = "f32"): Tensor {
    const elements = shape.reduce((a, b) => a * b, 1);
    // Whole 4 KiB pages: tensors of nearly equal size share their storages between steps.
    const bytes = Math.max(4096, Math.ceil((elements * elementBytes[type]) / 4096) * 4096);
    const storage = this.free.get(bytes)?.pop() ?? this.backend.allocate(bytes);
    this.users.set(storage, 1);
    return tensorOver(storage, shape, type);
  }

  /** True for storages that this pool handed out and that are in use. */
  owns(tensor: Tensor): boolean {
    return this.users.has(tensor.storage);
  }

  /** True where more than one user holds the tensor's memory, so that it must not be written in place. */
  isShared(tensor: Tensor): boolean {
    return (this.users.get(tensor.storage) ?? 0) > 1;
  }

  retain(tensor: Tensor): void {
    const count = this.users.get(tensor.storage);
    if (count !== undefined) this.users.set(tensor.storage, count + 1);
  }

  /** One user less; the last one gives the storage back for reuse. Tensors of others (parameters) are left alone. */
  release(tensor: Tensor): void {
    const { storage } = tensor;
    const count = this.users.get(storage);
    if (count === undefined) return;
    if (count > 1) {
      this.users.set(storage, count - 1);
      return;
    }
    this.users.delete(storage);
    const list = this.free.get(storage.bytes);
    if (list) list.push(storage);
    else this.free.set(storage.bytes, [storage]);
  }

  /** Gives unused storages back to the system. */
  trim(): void {
    for (const list of this.free.values()) for (const storage of list) this.backend.release(storage);
    this.free.clear();
  }
}
