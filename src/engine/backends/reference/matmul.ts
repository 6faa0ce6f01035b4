import type { Kernels, Precision } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { floats, requireMatrix, spanning } from "./memory.ts";
import { roundingOf } from "./rounding.ts";

/** Rows of the operand as the product needs it: a copy in f64, transposed if asked. */
function operand(tensor: Tensor, transpose: boolean, what: string): Float64Array[] {
  const data = spanning(tensor, what);
  const [rows, width, stride] = [rowsOf(tensor), widthOf(tensor), tensor.rowStride];
  return transpose
    ? Array.from({ length: width }, (_, column) =>
        Float64Array.from({ length: rows }, (_, row) => data[row * stride + column]),
      )
    : Array.from({ length: rows }, (_, row) => Float64Array.from(data.subarray(row * stride, row * stride + width)));
}

export const productsIn = (precision: Precision): Pick<Kernels, "matmul"> => ({
  matmul(out, a, b, { transposeA = false, transposeB = false, accumulate = false, bias }) {
    const rounded = roundingOf(precision);
    const left = operand(a, transposeA, "matmul: a").map((row) => row.map(rounded));
    // Row n holds column n of op(b).
    const right = operand(b, !transposeB, "matmul: b").map((row) => row.map(rounded));
    const [m, n] = [left.length, right.length];
    if (m > 0 && n > 0 && left[0].length !== right[0].length) {
      throw new RangeError(`matmul: inner lengths ${left[0].length} and ${right[0].length} differ`);
    }
    requireMatrix(out, m, n, "matmul: out");
    const to = spanning(out, "matmul: out");
    const added = bias && floats(bias, "matmul: bias");
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const index = i * out.rowStride + j;
        to[index] = dot(left[i], right[j]) + (added?.[j] ?? 0) + (accumulate ? to[index] : 0);
      }
    }
  },
});

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
