import { defineOp, type OpContext } from "../op.ts";
import { columns, rows, rowsOf, type Tensor } from "../tensor.ts";

/** Columns [start, start + count) of a linear layer's output that one adapter adds to. */
export interface LowRankBlock {
  readonly start: number;
  readonly count: number;
}

/** Adapters of one linear layer: all of the same rank, side by side. */
export interface LowRankOptions {
  readonly rank: number;
  /** Factor on the product: α / rank. */
  readonly scale: number;
  readonly blocks: readonly LowRankBlock[];
  /** Dropout of what goes into the adapter; none if left out. */
  readonly dropout?: { readonly probability: number; readonly key: number };
}

/**
 * LoRA (Hu et al. 2021) beside a linear layer: out = base + scale · (dropout(x) · downᵀ) · upᵀ, block by block, in the memory of
 * `base`, which must be an activation that nothing else reads. x: [rows, inputs]; base: [rows, outputs]; down: [blocks · rank, inputs]
 * and up: [Σ counts, rank], the blocks' matrices one after the other.
 */
export const addLowRank = defineOp<"base" | "x" | "down" | "up", "out", "hidden", LowRankOptions>({
  name: "addLowRank",
  inputs: ["base", "x", "down", "up"],
  takesBfloat16: ["base", "x"],
  takesAnyGradient: true,
  keeps: ["x", "down", "up"],
  inPlace: { out: "base" },
  forward(context, { base, x, down, up }, options) {
    const { kernels } = context.backend;
    const hidden = context.allocate([rowsOf(x), options.rank * options.blocks.length]);
    withDropped(context, x, options, (dropped) => kernels.matmul(hidden, dropped, down, { transposeB: true }));
    kernels.scale(hidden, hidden, options.scale);
    forBlocks(options, (block, index, first) => {
      const inner = columns(hidden, index * options.rank, options.rank);
      const target = columns(base, block.start, block.count);
      kernels.matmul(target, inner, rows(up, first, block.count), { transposeB: true, accumulate: true });
    });
    return { outputs: { out: base }, saved: { hidden } };
  },
  backward(context, gradients, { inputs: { x, down, up }, saved: { hidden } }, options, sink) {
    const { kernels } = context.backend;
    const gradient = gradients.out!;
    const hiddenGradient = context.allocate(hidden!.shape);
    forBlocks(options, (block, index, first) => {
      const inner = columns(hiddenGradient, index * options.rank, options.rank);
      kernels.matmul(inner, columns(gradient, block.start, block.count), rows(up, first, block.count), {});
    });
    kernels.scale(hiddenGradient, hiddenGradient, options.scale);
    sink.accumulate("up", (out) =>
      forBlocks(options, (block, index, first) => {
        const inner = columns(hidden!, index * options.rank, options.rank);
        const outer = columns(gradient, block.start, block.count);
        kernels.matmul(rows(out, first, block.count), outer, inner, { transposeA: true, accumulate: true });
      }),
    );
    withDropped(context, x, options, (dropped) =>
      sink.either("down", (out, accumulate) =>
        kernels.matmul(out, hiddenGradient, dropped, { transposeA: true, accumulate }),
      ),
    );
    const { dropout } = options;
    if (dropout === undefined) {
      sink.either("x", (out, accumulate) => kernels.matmul(out, hiddenGradient, down, { accumulate }));
    } else {
      sink.overwrite("x", (out) => {
        kernels.matmul(out, hiddenGradient, down, {});
        kernels.dropout(out, out, dropout.probability, dropout.key);
      });
    }
    context.free(hiddenGradient);
    sink.pass("base", gradient);
  },
});

/** Every block with its index and the first of its rows in `up`. */
function forBlocks(
  { blocks }: LowRankOptions,
  work: (block: LowRankBlock, index: number, firstRow: number) => void,
): void {
  let first = 0;
  blocks.forEach((block, index) => {
    work(block, index, first);
    first += block.count;
  });
}

function withDropped(context: OpContext, x: Tensor, { dropout }: LowRankOptions, work: (x: Tensor) => void): void {
  if (dropout === undefined) {
    work(x);
    return;
  }
  const dropped = context.allocate(x.shape, x.type);
  context.backend.kernels.dropout(dropped, x, dropout.probability, dropout.key);
  work(dropped);
  context.free(dropped);
}
