import type { AttentionShape } from "../backend.ts";
import { defineOp } from "../op.ts";
import { columns } from "../tensor.ts";

/**
 * Attention of some queries over the keys and values of other rows. query: [sequences · queryLength, heads · headSize];
 * keyValue: [sequences · keyLength, 2 · keyValueHeads · headSize], packed [key | value]; out as query.
 */
export const crossAttention = defineOp<"query" | "keyValue", "out", "logSumExp", { readonly shape: AttentionShape }>({
  name: "crossAttention",
  inputs: ["query", "keyValue"],
  takesBfloat16: ["query", "keyValue"],
  forward(context, { query, keyValue }, { shape }) {
    const width = shape.keyValueHeads * shape.headSize;
    const out = context.allocate(query.shape, query.type);
    const logSumExp = context.allocate([shape.heads, shape.sequences * shape.queryLength]);
    const [key, value] = [columns(keyValue, 0, width), columns(keyValue, width, width)];
    context.backend.kernels.attention({ query, key, value, out, logSumExp }, shape);
    return { outputs: { out }, saved: { logSumExp } };
  },
  backward(context, gradients, { inputs: { query, keyValue }, outputs: { out }, saved }, { shape }, sink) {
    const width = shape.keyValueHeads * shape.headSize;
    const [key, value] = [columns(keyValue, 0, width), columns(keyValue, width, width)];
    // One kernel makes all three gradients.
    const [queryGradient, packed] = [query, keyValue].map((one) => context.allocate(one.shape, one.type));
    context.backend.kernels.attentionBackward(
      {
        ...{ query, key, value, out, logSumExp: saved.logSumExp!, gradient: gradients.out!, queryGradient },
        ...{ keyGradient: columns(packed, 0, width), valueGradient: columns(packed, width, width) },
      },
      shape,
    );
    sink.pass("query", queryGradient);
    sink.pass("keyValue", packed);
  },
});
