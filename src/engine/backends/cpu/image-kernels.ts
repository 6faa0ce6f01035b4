/** The native kernels of image-text models. */
import { TilthError } from "../../../foundation/index.ts";
import type { Kernels, Precision } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { addressOf, flat, requireShape, stridedNumbers } from "./checks.ts";
import type { NativeLibraryFunctions } from "./library.ts";

type ImageKernels = Pick<
  Kernels,
  "patches" | "addRows" | "addRowsBackward" | "l2Normalize" | "l2NormalizeBackward" | "contrastiveLoss"
>;

/** Kernels for patches, positions, normalised embeddings and contrastive losses. */
export function imageKernels(library: NativeLibraryFunctions, threads: number, precision: Precision): ImageKernels {
  return {
    patches(out, pixels, patch, leading) {
      const [images, channels, height, width] = pixels.shape;
      if (pixels.shape.length !== 4 || height % patch !== 0 || width % patch !== 0) {
        throw new RangeError(`patches: images [${pixels.shape}] are not cut by patches of ${patch}`);
      }
      const perImage = leading + (height / patch) * (width / patch);
      requireShape(out, images * perImage, channels * patch * patch, "patches: out");
      const [to, from] = [flat(out, "patches"), flat(pixels, "patches")];
      library.patches(threads, to, from, images, channels, height, width, patch, leading);
    },

    addRows(out, x, table) {
      const [rows, width] = [rowsOf(x), widthOf(x)];
      requireShape(out, rows, width, "addRows: out");
      requireShape(table, rowsOf(table), width, "addRows: table");
      const [to, from] = [addressOf(out, "f32", "addRows"), addressOf(x, "f32", "addRows")];
      const sizes = [rows, width, rowsOf(table)];
      library.add_rows(threads, to, out.rowStride, from, x.rowStride, flat(table, "addRows: table"), ...sizes);
    },

    addRowsBackward(tableGradient, gradient) {
      const width = widthOf(gradient);
      requireShape(tableGradient, rowsOf(tableGradient), width, "addRowsBackward: table");
      const [to, from] = [flat(tableGradient, "addRowsBackward"), stridedNumbers(gradient, "addRowsBackward")];
      library.add_rows_backward(threads, to, ...from, rowsOf(gradient), width, rowsOf(tableGradient));
    },

    l2Normalize(out, inverseNorm, x) {
      const [rows, width] = [rowsOf(x), widthOf(x)];
      requireShape(out, rows, width, "l2Normalize: out");
      requireShape(inverseNorm, 1, rows, "l2Normalize: inverseNorm");
      const tensors = [out, inverseNorm, x].map((one) => flat(one, "l2Normalize"));
      library.l2_normalize(threads, ...tensors, rows, width);
    },

    l2NormalizeBackward(xGradient, gradient, out, inverseNorm) {
      const [rows, width] = [rowsOf(gradient), widthOf(gradient)];
      for (const one of [xGradient, out]) requireShape(one, rows, width, "l2NormalizeBackward");
      requireShape(inverseNorm, 1, rows, "l2NormalizeBackward: inverseNorm");
      const tensors = [xGradient, gradient, out, inverseNorm].map((one) => flat(one, "l2NormalizeBackward"));
      library.l2_normalize_backward(threads, ...tensors, rows, width);
    },

    contrastiveLoss({ loss, images, texts, logitScale, logitBias, gradients }) {
      const [pairs, width] = [rowsOf(images), widthOf(images)];
      for (const one of [texts, gradients?.images, gradients?.texts]) {
        if (one) requireShape(one, pairs, width, "contrastiveLoss");
      }
      for (const one of [loss, logitScale, logitBias, gradients?.logitScale, gradients?.logitBias]) {
        if (one) requireShape(one, 1, 1, "contrastiveLoss");
      }
      if (gradients !== undefined && (logitBias === undefined) !== (gradients.logitBias === undefined)) {
        throw new RangeError("contrastiveLoss: logitBias and its gradient are given together or not at all");
      }
      const { images: byImages, texts: byTexts, logitScale: byScale, logitBias: byBias } = gradients ?? {};
      const tensors = [loss, images, texts, logitScale, logitBias, byImages, byTexts, byScale, byBias];
      const addresses = tensors.map((one: Tensor | undefined) =>
        one === undefined ? 0 : flat(one, "contrastiveLoss"),
      );
      const failed = library.contrastive_loss(threads, ...addresses, pairs, width, Number(precision === "bf16"));
      if (failed !== 0) throw new TilthError("contrastiveLoss: there is no memory for a block of logits");
    },
  };
}
