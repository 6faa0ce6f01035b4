/** The ops: one file each, one line here. Tests and docs find them in this registry. */
import { activation } from "./activation.ts";
import { add } from "./add.ts";
import { addIntoRows } from "./add-into-rows.ts";
import { addLowRank } from "./add-low-rank.ts";
import { addRows } from "./add-rows.ts";
import { attention } from "./attention.ts";
import { cast } from "./cast.ts";
import { contrastiveLoss, sigmoidContrastiveLoss } from "./contrastive-loss.ts";
import { crossAttention } from "./cross-attention.ts";
import { dropout } from "./dropout.ts";
import { embedding } from "./embedding.ts";
import { geglu, swiglu } from "./gated.ts";
import { gatherRows } from "./gather-rows.ts";
import { headCrossEntropy, headCrossEntropyWithBias } from "./head-cross-entropy.ts";
import { headNorm } from "./head-norm.ts";
import { l2Normalize } from "./l2-normalize.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { linearWithBias } from "./linear-with-bias.ts";
import { meanRows } from "./mean-rows.ts";
import { patchEmbedding } from "./patch-embedding.ts";
import { residualLayerNorm } from "./residual-layer-norm.ts";
import { residualRmsNorm } from "./residual-rms-norm.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rope } from "./rope.ts";

export const ops = {
  ...{ embedding, gatherRows, patchEmbedding, cast, add, addRows, dropout, linear, linearWithBias },
  ...{ rmsNorm, residualRmsNorm, layerNorm, residualLayerNorm, headNorm, l2Normalize },
  ...{ rope, attention, swiglu, geglu, activation, meanRows },
  ...{ headCrossEntropy, headCrossEntropyWithBias, contrastiveLoss, sigmoidContrastiveLoss },
  ...{ addIntoRows, addLowRank, crossAttention },
} as const;

export type { LowRankBlock, LowRankOptions } from "./add-low-rank.ts";
export {
  activation,
  add,
  addIntoRows,
  addLowRank,
  addRows,
  attention,
  cast,
  contrastiveLoss,
  crossAttention,
  dropout,
  embedding,
  gatherRows,
  geglu,
  headCrossEntropy,
  headCrossEntropyWithBias,
  headNorm,
  l2Normalize,
  layerNorm,
  linear,
  linearWithBias,
  meanRows,
  patchEmbedding,
  residualLayerNorm,
  residualRmsNorm,
  rmsNorm,
  rope,
  sigmoidContrastiveLoss,
  swiglu,
};
