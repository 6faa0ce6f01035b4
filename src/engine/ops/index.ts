/** The ops: one file each, one line here. Tests and docs find them in this registry. */
import { attention } from "./attention.ts";
import { embedding } from "./embedding.ts";
import { headCrossEntropy } from "./head-cross-entropy.ts";
import { linear } from "./linear.ts";
import { residualRmsNorm } from "./residual-rms-norm.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rope } from "./rope.ts";
import { swiglu } from "./swiglu.ts";

export const ops = { embedding, linear, rmsNorm, residualRmsNorm, rope, attention, swiglu, headCrossEntropy } as const;

export { attention, embedding, headCrossEntropy, linear, residualRmsNorm, rmsNorm, rope, swiglu };
