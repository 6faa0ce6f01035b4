import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, requireMatrix, spanning } from "./memory.ts";

export const elementwise: Pick<Kernels, "fill" | "copy" | "add" | "scale" | "sum" | "norm"> = {
  fill(out, value) {
    floats(out, "fill").fill(value);
  },

  copy(out, from) {
    requireMatrix(from, rowsOf(out), widthOf(out), "copy: from");
    const [to, source] = [spanning(out, "copy: out"), spanning(from, "copy: from")];
    for (let row = 0; row < rowsOf(out); row++) {
      to.set(source.subarray(row * from.rowStride, row * from.rowStride + widthOf(out)), row * out.rowStride);
    }
  },

  add(out, a, b) {
    const [to, left, right] = [floats(out, "add: out"), floats(a, "add: a"), floats(b, "add: b")];
    if (left.length !== to.length || right.length !== to.length) {
      throw new RangeError(`add: lengths ${left.length} and ${right.length} into ${to.length}`);
    }
    for (let i = 0; i < to.length; i++) to[i] = left[i] + right[i];
  },

  scale(out, x, factor) {
    const [to, from] = [floats(out, "scale: out"), floats(x, "scale: x")];
    if (from.length !== to.length) throw new RangeError(`scale: length ${from.length} into ${to.length}`);
    for (let i = 0; i < to.length; i++) to[i] = from[i] * factor;
  },

  sum(out, x) {
    let total = 0;
    for (const value of floats(x, "sum")) total += value;
    floats(out, "sum: out")[0] = total;
  },

  norm(out, x) {
    let total = 0;
    for (const value of floats(x, "norm")) total += value * value;
    floats(out, "norm: out")[0] = Math.sqrt(total);
  },
};
