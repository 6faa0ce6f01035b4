import { TilthError } from "../../../foundation/index.ts";
import type { Kernels } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, integers, requireMatrix, spanning } from "./memory.ts";

export const rotary: Pick<Kernels, "rope"> = {
  rope(out, x, table, positions, heads, headSize, inverse) {
    const [tokens, width, half] = [rowsOf(x), widthOf(x), headSize / 2];
    requireMatrix(out, tokens, width, "rope: out");
    if (headSize % 2 !== 0 || heads * headSize > width || widthOf(table) !== headSize) {
      throw new RangeError(`rope: ${heads} heads of ${headSize} do not fit rows of ${width} and this table`);
    }
    const [to, from, angles] = [spanning(out, "rope: out"), spanning(x, "rope: x"), floats(table, "rope: table")];
    integers(positions, "rope: positions").forEach((position, token) => {
      if (position < 0 || position >= rowsOf(table)) {
        throw new TilthError(`rope: position ${position} is outside a table of ${rowsOf(table)} positions`);
      }
      for (let i = heads * headSize; i < width; i++) to[token * out.rowStride + i] = from[token * x.rowStride + i];
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < half; i++) {
          const cosine = angles[position * headSize + i];
          const sine = (inverse ? -1 : 1) * angles[position * headSize + half + i];
          const column = head * headSize + i;
          const first = from[token * x.rowStride + column];
          const second = from[token * x.rowStride + column + half];
          to[token * out.rowStride + column] = first * cosine - second * sine;
          to[token * out.rowStride + column + half] = second * cosine + first * sine;
        }
      }
    });
  },
};
