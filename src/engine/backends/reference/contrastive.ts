import type { Kernels, Precision } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { floats, requireMatrix } from "./memory.ts";
import { roundingOf } from "./rounding.ts";

/** log Σ exp. */
function logSumExp(values: Float64Array): number {
  const maximum = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return maximum + Math.log(values.reduce((sum, value) => sum + Math.exp(value - maximum), 0));
}

export const contrastiveIn = (precision: Precision): Pick<Kernels, "contrastiveLoss"> => ({
  contrastiveLoss({ loss, images, texts, logitScale, logitBias, gradients }) {
    const [pairs, width] = [rowsOf(images), widthOf(images)];
    requireMatrix(texts, pairs, width, "contrastiveLoss: texts");
    const rounded = roundingOf(precision);
    const of = (tensor: Tensor) => floats(tensor, "contrastiveLoss");
    const [left, right] = [images, texts].map((one) => of(one).map(rounded));
    const scale = Math.fround(Math.exp(of(logitScale)[0]));
    const bias = logitBias === undefined ? 0 : of(logitBias)[0];
    const logits = Array.from({ length: pairs }, (_, i) =>
      Float64Array.from({ length: pairs }, (_, j) => {
        let product = 0;
        for (let d = 0; d < width; d++) product += left[i * width + d] * right[j * width + d];
        return scale * product + bias;
      }),
    );
    const rowSums = logits.map(logSumExp);
    const columnSums = logits.map((_, j) => logSumExp(Float64Array.from(logits, (row) => row[j])));

    /** The share of pair (i, j) in the loss, and the loss's slope along its logit. */
    const softmax = (i: number, j: number) => {
      const logit = logits[i][j];
      const [byRow, byColumn] = [Math.exp(logit - rowSums[i]), Math.exp(logit - columnSums[j])];
      const own = i === j ? 1 : 0;
      return {
        loss: own * ((rowSums[i] + columnSums[i]) / 2 - logit),
        slope: (byRow + byColumn) / 2 - own,
      };
    };
    const sigmoid = (i: number, j: number) => {
      const sign = i === j ? 1 : -1;
      const margin = sign * logits[i][j];
      const tail = Math.exp(-Math.abs(margin));
      return {
        loss: Math.max(-margin, 0) + Math.log1p(tail),
        slope: -sign * (margin >= 0 ? tail / (1 + tail) : 1 / (1 + tail)),
      };
    };
    const pair = logitBias === undefined ? softmax : sigmoid;

    let [total, scaleSlope, biasSlope] = [0, 0, 0];
    const [byImages, byTexts] = [gradients?.images, gradients?.texts].map((one) => one && of(one).fill(0));
    for (let i = 0; i < pairs; i++) {
      for (let j = 0; j < pairs; j++) {
        const { loss: share, slope } = pair(i, j);
        total += share / pairs;
        scaleSlope += (slope / pairs) * (logits[i][j] - bias);
        biasSlope += slope / pairs;
        if (byImages === undefined || byTexts === undefined) continue;
        const change = rounded((slope / pairs) * scale);
        for (let d = 0; d < width; d++) {
          byImages[i * width + d] += change * right[j * width + d];
          byTexts[j * width + d] += change * left[i * width + d];
        }
      }
    }
    of(loss)[0] = total;
    if (gradients === undefined) return;
    of(gradients.logitScale)[0] = scaleSlope;
    if (gradients.logitBias) of(gradients.logitBias)[0] = biasSlope;
  },
});
