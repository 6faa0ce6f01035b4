import { TilthError } from "../../../foundation/index.ts";
import type { Kernels } from "../../backend.ts";
import { elementCount, rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { floats, integers, requireMatrix } from "./memory.ts";

function checkedRanges(from: Tensor, to: Tensor, rows: number, what: string): [Int32Array, Int32Array] {
  const [begins, ends] = [integers(from, what), integers(to, what)];
  begins.forEach((begin, range) => {
    if (begin < 0 || ends[range] > rows || begin > ends[range]) {
      throw new TilthError(`${what}: range ${range} is not within ${rows} rows`);
    }
  });
  return [begins, ends];
}

export const pooling: Pick<Kernels, "meanRows" | "meanRowsBackward"> = {
  meanRows(out, x, from, to) {
    const width = widthOf(x);
    requireMatrix(out, elementCount(from), width, "meanRows: out");
    const [into, values] = [floats(out, "meanRows: out"), floats(x, "meanRows: x")];
    const [begins, ends] = checkedRanges(from, to, rowsOf(x), "meanRows");
    begins.forEach((begin, range) => {
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let row = begin; row < ends[range]; row++) sum += values[row * width + i];
        into[range * width + i] = sum / Math.max(1, ends[range] - begin);
      }
    });
  },

  meanRowsBackward(xGradient, gradient, from, to) {
    const width = widthOf(xGradient);
    requireMatrix(gradient, elementCount(from), width, "meanRowsBackward: gradient");
    const [into, upstream] = [floats(xGradient, "meanRowsBackward: out"), floats(gradient, "meanRowsBackward")];
    const [begins, ends] = checkedRanges(from, to, rowsOf(xGradient), "meanRowsBackward");
    begins.forEach((begin, range) => {
      for (let row = begin; row < ends[range]; row++) {
        for (let i = 0; i < width; i++) {
          into[row * width + i] += upstream[range * width + i] / (ends[range] - begin);
        }
      }
    });
  },
};
