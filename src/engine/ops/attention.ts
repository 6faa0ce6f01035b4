import type { AttentionShape } from "../backend.ts";
import { defineOp } from "../op.ts";
import { columns, type Tensor } from "../tensor.ts";

/** The mask and the head layout; `visibleFrom`/`visibleTo` are the document mask (see AttentionTensors). */
export interface AttentionOptions {
  readonly shape: AttentionShape;
  readonly visibleFrom?: Tensor;
  readonly visibleTo?: Tensor;
}

/** The three column views of packed rows [query | key | value]. */
export function splitPackedHeads(packed: Tensor, shape: AttentionShape): { query: Tensor; key: Tensor; value: Tensor } {
  const queryWidth = shape.heads * shape.headSize;
  const keyWidth = shape.keyValueHeads * shape.headSize;
  return {
    query: columns(packed, 0, queryWidth),
    key: columns(packed, queryWidth, keyWidth),
    value: columns(packed, queryWidth + keyWidth, keyWidth),
  };
}

/**
 * Self-attention over packed rows, tile by tile (Dao et al. 2022).
 * packed: [tokens, (heads + 2 · keyValueHeads) · headSize]; out: [tokens, heads · headSize].
 */
export const attention = defineOp<"packed", "out", "logSumExp", AttentionOptions>({
  name: "attention",
  inputs: ["packed"],
  takesBfloat16: ["packed"],
  forward(context, { packed }, { shape, visibleFrom, visibleTo }) {
    const tokens = shape.sequences * shape.queryLength;
    const out = context.allocate([tokens, shape.heads * shape.headSize], packed.type);
    const logSumExp = context.allocate([shape.heads, tokens]);
    context.backend.kernels.attention(
      { ...splitPackedHeads(packed, shape), out, logSumExp, visibleFrom, visibleTo },
      shape,
    );
    return { outputs: { out }, saved: { logSumExp } };
  },
  backward(context, gradients, { inputs, outputs, saved }, { shape, visibleFrom, visibleTo }, sink) {
    sink.overwrite("packed", (packedGradient) => {
      const into = splitPackedHeads(packedGradient, shape);
      context.backend.kernels.attentionBackward(
        {
          ...splitPackedHeads(inputs.packed, shape),
          out: outputs.out,
          logSumExp: saved.logSumExp!,
          visibleFrom,
          visibleTo,
          gradient: gradients.out!,
          queryGradient: into.query,
          keyGradient: into.key,
          valueGradient: into.value,
        },
        shape,
      );
    });
  },
});
