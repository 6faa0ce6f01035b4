/** The ops: one file each, one line here. Tests and docs find them in this registry. */
import { addRows } from "./add-rows.ts";
import { attention } from "./attention.ts";
import { contrastiveLoss, sigmoidContrastiveLoss } from "./contrastive-loss.ts";
import { embedding } from "./embedding.ts";
import { headCrossEntropy } from "./head-cross-entropy.ts";
import { l2Normalize } from "./l2-normalize.ts";
import { linear } from "./linear.ts";
import { patchEmbedding } from "./patch-embedding.ts";
import { residualRmsNorm } from "./residual-rms-norm.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rope } from "./rope.ts";
import { swiglu } from "./swiglu.ts";

export const ops = {
  embedding,
  linear,
  rmsNorm,
  residualRmsNorm,
  rope,
  attention,
  swiglu,
  headCrossEntropy,
  addRows,
  patchEmbedding,
  l2Normalize,
  contrastiveLoss,
  sigmoidContrastiveLoss,
} as const;

export {
  addRows,
  attention,
  contrastiveLoss,
  embedding,
  headCrossEntropy,
  l2Normalize,
  linear,
  patchEmbedding,
  residualRmsNorm,
  rmsNorm,
  rope,
  sigmoidContrastiveLoss,
  swiglu,
};
