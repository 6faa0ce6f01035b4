import { defineOp } from "../op.ts";
import { rowsOf, type Tensor } from "../tensor.ts";

/** `pixels`: [images, channels, height, width]; `leading`: rows of zeros before each image's patches, for a class token. */
export interface PatchEmbeddingOptions {
  readonly pixels: Tensor;
  readonly patch: number;
  readonly leading: number;
}

/**
 * A convolution whose stride is its size (Dosovitskiy et al. 2021): patches as rows, times the weights.
 * weight: [width, channels · patch²]; out: [images · (leading + patches of an image), width]. Pixels get no gradient.
 */
export const patchEmbedding = defineOp<"weight", "out", "rows", PatchEmbeddingOptions>({
  name: "patchEmbedding",
  inputs: ["weight"],
  forward(context, { weight }, { pixels, patch, leading }) {
    const [images, channels, height, width] = pixels.shape;
    const perImage = leading + Math.floor(height / patch) * Math.floor(width / patch);
    const rows = context.allocate([images * perImage, channels * patch * patch]);
    const out = context.allocate([images * perImage, rowsOf(weight)]);
    const { kernels } = context.backend;
    kernels.patches(rows, pixels, patch, leading);
    kernels.matmul(out, rows, weight, { transposeB: true });
    return { outputs: { out }, saved: { rows } };
  },
  backward({ backend: { kernels } }, gradients, { saved }, _options, sink) {
    sink.either("weight", (weight, accumulate) =>
      kernels.matmul(weight, gradients.out!, saved.rows!, { transposeA: true, accumulate }),
    );
  },
});
