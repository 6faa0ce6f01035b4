import type { HeadNormShape, Kernels } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";

/** Every head of every token: where it starts, which weight it has. */
function* headsOf(x: Tensor, { queryHeads, keyHeads, headSize }: HeadNormShape) {
  for (let token = 0; token < rowsOf(x); token++) {
    for (let head = 0; head < queryHeads + keyHeads; head++) {
      const index = token * (queryHeads + keyHeads) + head;
      yield { at: token * widthOf(x) + head * headSize, which: head < queryHeads ? 0 : 1, index };
    }
  }
}

export const headNorms: Pick<Kernels, "headNorm" | "headNormBackward"> = {
  headNorm({ out, inverseRms, x, queryWeight, keyWeight, epsilon }, shape) {
    const { headSize } = shape;
    requireMatrix(out, rowsOf(x), widthOf(x), "headNorm: out");
    const [to, from] = [floats(out, "headNorm: out"), floats(x, "headNorm: x")];
    const inverses = floats(inverseRms, "headNorm: inverseRms");
    const weights = [queryWeight, keyWeight].map((one) => floats(one, "headNorm: weight"));
    to.set(from);
    for (const { at, which, index } of headsOf(x, shape)) {
      let squares = 0;
      for (let i = 0; i < headSize; i++) squares += from[at + i] ** 2;
      inverses[index] = 1 / Math.sqrt(squares / headSize + epsilon);
      for (let i = 0; i < headSize; i++) to[at + i] = from[at + i] * inverses[index] * weights[which][i];
    }
  },

  headNormBackward(tensors, shape) {
    const { headSize } = shape;
    const { xGradient, queryWeightGradient, keyWeightGradient, gradient, x, queryWeight, keyWeight } = tensors;
    requireMatrix(gradient, rowsOf(x), widthOf(x), "headNormBackward: gradient");
    const [from, upstream] = [floats(x, "headNormBackward: x"), floats(gradient, "headNormBackward: gradient").slice()];
    const to = floats(xGradient, "headNormBackward: xGradient");
    const inverses = floats(tensors.inverseRms, "headNormBackward: inverseRms");
    const weights = [queryWeight, keyWeight].map((one) => floats(one, "headNormBackward: weight"));
    const into = [queryWeightGradient, keyWeightGradient].map((one) => floats(one, "headNormBackward: weight"));
    const sums = into.map(() => new Float64Array(headSize));
    to.set(upstream);
    for (const { at, which, index } of headsOf(x, shape)) {
      let along = 0;
      for (let i = 0; i < headSize; i++) {
        const normalized = from[at + i] * inverses[index];
        sums[which][i] += upstream[at + i] * normalized;
        along += (upstream[at + i] * weights[which][i] * normalized) / headSize;
      }
      for (let i = 0; i < headSize; i++) {
        const normalized = from[at + i] * inverses[index];
        to[at + i] = inverses[index] * (upstream[at + i] * weights[which][i] - normalized * along);
      }
    }
    sums.forEach((sum, which) => {
      for (let i = 0; i < headSize; i++) into[which][i] += sum[i];
    });
  },
};
