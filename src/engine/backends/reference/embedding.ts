import { TilthError } from "../../../foundation/index.ts";
import type { Kernels } from "../../backend.ts";
import { elementCount, rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { floats, integers, requireMatrix } from "./memory.ts";

function checkedIds(ids: Tensor, vocabulary: number, what: string): Int32Array {
  const values = integers(ids, what);
  for (const id of values) {
    if (id < 0 || id >= vocabulary) throw new TilthError(`${what}: id ${id} is outside a vocabulary of ${vocabulary}`);
  }
  return values;
}

export const embeddings: Pick<Kernels, "embedding" | "embeddingBackward"> = {
  embedding(out, table, ids) {
    const width = widthOf(table);
    requireMatrix(out, elementCount(ids), width, "embedding: out");
    const [to, from] = [floats(out, "embedding: out"), floats(table, "embedding: table")];
    checkedIds(ids, rowsOf(table), "embedding").forEach((id, token) => {
      to.set(from.subarray(id * width, (id + 1) * width), token * width);
    });
  },

  embeddingBackward(tableGradient, gradient, ids) {
    const width = widthOf(tableGradient);
    requireMatrix(gradient, elementCount(ids), width, "embeddingBackward: gradient");
    const [to, from] = [floats(tableGradient, "embeddingBackward: out"), floats(gradient, "embeddingBackward")];
    checkedIds(ids, rowsOf(tableGradient), "embeddingBackward").forEach((id, token) => {
      for (let i = 0; i < width; i++) to[id * width + i] += from[token * width + i];
    });
  },
};
