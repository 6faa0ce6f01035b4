import { defineOp, type OpContext } from "../op.ts";
import { rowsOf, type Tensor } from "../tensor.ts";

/** out = x / √(mean(x²) + ε) · weight (Zhang & Sennrich 2019). x: [rows, width], weight: [width]; out in the backend's precision. */
export const rmsNorm = defineOp<"x" | "weight", "out", "inverseRms", { epsilon: number }>({
  name: "rmsNorm",
  inputs: ["x", "weight"],
  keeps: ["x", "weight"],
  recompute: {
    out: (context, { inputs, saved }, { epsilon }) => normalized(context, inputs, saved.inverseRms!, epsilon),
  },
  forward(context, inputs, { epsilon }) {
    const inverseRms = context.allocate([rowsOf(inputs.x)]);
    return { outputs: { out: normalized(context, inputs, inverseRms, epsilon) }, saved: { inverseRms } };
  },
  backward(context, gradients, { inputs: { x, weight }, saved }, _options, sink) {
    sink.accumulateOrScratch("weight", (weightGradient) => {
      const xGradient = context.allocate(x.shape);
      context.backend.kernels.rmsNormBackward({
        xGradient,
        weightGradient,
        gradient: gradients.out!,
        x,
        weight,
        inverseRms: saved.inverseRms!,
      });
      sink.pass("x", xGradient);
      context.free(xGradient);
    });
  },
});

/** The norm of x in new memory. */
export function normalized(
  context: OpContext,
  { x, weight }: { readonly x: Tensor; readonly weight: Tensor },
  inverseRms: Tensor,
  epsilon: number,
): Tensor {
  const out = context.allocate(x.shape, context.backend.precision);
  context.backend.kernels.rmsNorm({ out, inverseRms, x, weight, epsilon });
  return out;
}
