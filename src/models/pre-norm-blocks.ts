/** The stack of pre-norm blocks of Llama, GPT-2, ModernBERT and the towers of ViT, CLIP and SigLIP. What differs is handed in. */
import type { Engine, Variable } from "../engine/index.ts";

/** A residual stream and what is still to be added to it: nothing before the first block. */
export interface Stream {
  readonly stream: Variable;
  readonly delta?: Variable;
}

/** What the blocks of a model are made of. */
export interface PreNormBlocks {
  readonly layers: number;
  /** The norm before a branch, over the stream with its delta; `sum` is the stream from there on. */
  norm(before: Stream, layer: number, branch: "attention" | "mlp"): { readonly sum: Variable; readonly out: Variable };
  /** Where positions rotate, those of queryKeyValue come rotated. */
  linear(x: Variable, layer: number, part: "queryKeyValue" | "attentionOutput" | "up" | "down"): Variable;
  /** Attention of packed [query | key | value] rows. */
  attend(packed: Variable, layer: number): Variable;
  /** Between the two layers of the MLP. */
  activate(up: Variable): Variable;
  /** Dropout of a branch's end; place 1 is behind attention, 2 behind the MLP. None if left out. */
  dropped?(branch: Variable, layer: number, place: 1 | 2): Variable;
}

/** Runs the blocks over the stream x: [tokens, width]. Activations that no backward pass reads are given back at once, x too. */
export function runPreNormBlocks(engine: Engine, x: Variable, blocks: PreNormBlocks): Stream {
  const { layers, norm, linear, attend, activate, dropped = (branch) => branch } = blocks;
  let last: Stream = { stream: x };
  for (let layer = 0; layer < layers; layer++) {
    // Of this layer: a checkpoint runs again when the loop has gone on.
    const before = last;
    last = engine.checkpoint(() => {
      const first = norm(before, layer, "attention");
      const packed = linear(first.out, layer, "queryKeyValue");
      // A block without a norm before its attention reads the stream itself.
      if (first.out !== first.sum) engine.release(first.out);
      const attended = attend(packed, layer);
      engine.release(packed);
      const mixed = dropped(linear(attended, layer, "attentionOutput"), layer, 1);
      engine.release(attended);
      const second = norm({ stream: first.sum, delta: mixed }, layer, "mlp");
      engine.release(first.sum, mixed);
      const up = linear(second.out, layer, "up");
      engine.release(second.out);
      const activated = activate(up);
      engine.release(up);
      const down = dropped(linear(activated, layer, "down"), layer, 2);
      engine.release(activated);
      return { stream: second.sum, delta: down };
    });
    if (before.delta !== undefined) engine.release(before.stream, before.delta);
  }
  return last;
}
