/**
 * bf16 tensors for kernels that know f32 only: each gets an f32 copy in its place, and what the kernel leaves there is
 * rounded back to nearest even.
 */

import type { Kernels } from "../../backend.ts";
import { decodeBfloat16, encodeBfloat16 } from "../../bfloat16.ts";
import { rowsOf, type Tensor, tensorOver, widthOf } from "../../tensor.ts";
import { HostStorage, halves, spanning } from "./memory.ts";

/** The kernels with f32 copies in place of bf16 tensors. */
export function throughSingle(kernels: Kernels): Kernels {
  const wrapped = Object.entries(kernels).map(([name, kernel]) => [
    name,
    (...parameters: unknown[]) => {
      const copies = new Map<string, { original: Tensor; copy: Tensor }>();
      (kernel as (...all: unknown[]) => void)(...parameters.map((one) => withCopies(one, copies)));
      for (const { original, copy } of copies.values()) storeRows(original, copy);
    },
  ]);
  return Object.fromEntries(wrapped) as unknown as Kernels;
}

/** Tensors, and objects of them, with every bf16 tensor replaced; two views of the same elements share a copy. */
function withCopies(value: unknown, copies: Map<string, { original: Tensor; copy: Tensor }>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (!isTensor(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withCopies(one, copies)]));
  }
  if (value.type !== "bf16" || !(value.storage instanceof HostStorage)) return value;
  const key = `${value.storage.id} ${value.offset} ${value.rowStride} ${value.shape}`;
  const known = copies.get(key)?.copy;
  if (known !== undefined) return known;
  const copy = tensorOver(new HostStorage(Math.max(4, rowsOf(value) * widthOf(value) * 4)), value.shape);
  const [from, to] = [halves(value), spanning(copy, "bf16")];
  for (let row = 0; row < rowsOf(value); row++) {
    const start = row * value.rowStride;
    to.set(decodeBfloat16(from.subarray(start, start + widthOf(value))), row * widthOf(value));
  }
  copies.set(key, { original: value, copy });
  return copy;
}

function storeRows(original: Tensor, copy: Tensor): void {
  const [to, from, width] = [halves(original), spanning(copy, "bf16"), widthOf(copy)];
  for (let row = 0; row < rowsOf(copy); row++) {
    to.set(encodeBfloat16(from.slice(row * width, (row + 1) * width)), row * original.rowStride);
  }
}

function isTensor(value: object): value is Tensor {
  return "storage" in value && "rowStride" in value;
}
