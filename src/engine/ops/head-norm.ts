import type { HeadNormShape } from "../backend.ts";
import { defineOp } from "../op.ts";
import { rowsOf } from "../tensor.ts";

/** RMS norm of every query and key head of packed [query | key | value] rows (QK-norm, see Kernels.headNorm). */
export const headNorm = defineOp<
  "x" | "queryWeight" | "keyWeight",
  "out",
  "inverseRms",
  { readonly shape: HeadNormShape; readonly epsilon: number }
>({
  name: "headNorm",
  inputs: ["x", "queryWeight", "keyWeight"],
  takesBfloat16: ["x"],
  keeps: ["x", "queryWeight", "keyWeight"],
  forward(context, { x, queryWeight, keyWeight }, { shape, epsilon }) {
    const out = context.allocate(x.shape, x.type);
    const inverseRms = context.allocate([rowsOf(x), shape.queryHeads + shape.keyHeads]);
    context.backend.kernels.headNorm({ out, inverseRms, x, queryWeight, keyWeight, epsilon }, shape);
    return { outputs: { out }, saved: { inverseRms } };
  },
  backward(context, gradients, { inputs, saved }, { shape }, sink) {
    const xGradient = context.allocate(inputs.x.shape, inputs.x.type);
    sink.accumulateOrScratch("queryWeight", (queryWeightGradient) =>
      sink.accumulateOrScratch("keyWeight", (keyWeightGradient) =>
        context.backend.kernels.headNormBackward(
          {
            ...{ xGradient, queryWeightGradient, keyWeightGradient },
            ...{ ...inputs, gradient: gradients.out!, inverseRms: saved.inverseRms! },
          },
          shape,
        ),
      ),
    );
    sink.pass("x", xGradient);
    context.free(xGradient);
  },
});
