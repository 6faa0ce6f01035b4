import { columns, type Engine, rows, rowsOf, type Variable } from "../engine/index.ts";

/** The likeliest token at each row, from blocks of logits; of equals the lowest id. Runs inside a scope. */
export async function likeliestTokens(
  engine: Engine,
  { hidden, head, headBias }: { readonly hidden: Variable; readonly head: Variable; readonly headBias?: Variable },
): Promise<Int32Array> {
  const count = rowsOf(hidden.tensor);
  const vocabulary = rowsOf(head.tensor);
  const block = Math.max(1, Math.min(count, Math.floor(2 ** 22 / vocabulary)));
  const logits = engine.allocate([block, vocabulary]);
  const found = new Int32Array(count);
  const { kernels } = engine.backend;
  for (let first = 0; first < count; first += block) {
    const some = rows(logits, 0, Math.min(block, count - first));
    kernels.matmul(some, rows(hidden.tensor, first, rowsOf(some)), head.tensor, { transposeB: true });
    if (headBias !== undefined) kernels.addRows(some, some, columns(headBias.tensor, 0, vocabulary));
    const values = await engine.backend.read(some);
    for (let row = 0; row < rowsOf(some); row++) {
      let best = 0;
      const at = row * vocabulary;
      for (let id = 1; id < vocabulary; id++) if (values[at + id] > values[at + best]) best = id;
      found[first + row] = best;
    }
  }
  return found;
}
