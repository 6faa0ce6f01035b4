import { defineOp } from "../op.ts";
import { elementCount, type Tensor, widthOf } from "../tensor.ts";

/** Rows of a table by id. table: [vocabulary, width], ids: i32 [tokens]; out: [tokens, width]. */
export const embedding = defineOp<"table", "out", never, { ids: Tensor }>({
  name: "embedding",
  inputs: ["table"],
  takesBfloat16: ["table"],
  keeps: ["table"],
  forward(context, { table }, { ids }) {
    const out = context.allocate([elementCount(ids), widthOf(table)]);
    context.backend.kernels.embedding(out, table, ids);
    return { outputs: { out } };
  },
  backward(context, gradients, _values, { ids }, sink) {
    sink.accumulate("table", (table) => context.backend.kernels.embeddingBackward(table, gradients.out!, ids));
  },
});
