import { TilthError } from "../../../foundation/index.ts";
import type { Kernels, Precision } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats, integers, requireMatrix } from "./memory.ts";
import { roundingOf } from "./rounding.ts";

export const crossEntropyIn = (precision: Precision): Pick<Kernels, "headCrossEntropy"> => ({
  headCrossEntropy({ losses, gaps, x, weight, bias, targets, zLoss = 0, gradients }) {
    const [tokens, width, vocabulary] = [rowsOf(x), widthOf(x), rowsOf(weight)];
    requireMatrix(weight, vocabulary, width, "headCrossEntropy: weight");
    const rounded = roundingOf(precision);
    const [hidden, head] = [floats(x, "headCrossEntropy: x"), floats(weight, "headCrossEntropy: weight")].map((one) =>
      one.map(rounded),
    );
    const wanted = integers(targets, "headCrossEntropy: targets");
    const to = floats(losses, "headCrossEntropy: losses");
    const below = gaps && floats(gaps, "headCrossEntropy: gaps").fill(0);
    const dx = gradients && floats(gradients.x, "headCrossEntropy: gradients.x").fill(0);
    const dw = gradients && floats(gradients.weight, "headCrossEntropy: gradients.weight");
    if (gradients?.accumulateWeight === false) dw?.fill(0);
    const shift = bias && floats(bias, "headCrossEntropy: bias");
    const db = gradients?.bias && floats(gradients.bias, "headCrossEntropy: gradients.bias");
    const logits = new Float64Array(vocabulary);
    for (let token = 0; token < tokens; token++) {
      const target = wanted[token];
      to[token] = 0;
      if (target < 0) continue;
      if (target >= vocabulary) {
        throw new TilthError(`headCrossEntropy: target ${target} is outside a vocabulary of ${vocabulary}`);
      }
      let maximum = Number.NEGATIVE_INFINITY;
      for (let id = 0; id < vocabulary; id++) {
        let logit = shift?.[id] ?? 0;
        for (let i = 0; i < width; i++) logit += hidden[token * width + i] * head[id * width + i];
        logits[id] = logit;
        maximum = Math.max(maximum, logit);
      }
      let total = 0;
      for (let id = 0; id < vocabulary; id++) total += Math.exp(logits[id] - maximum);
      const logSum = maximum + Math.log(total);
      to[token] = logSum - logits[target] + zLoss * logSum * logSum;
      if (below) below[token] = maximum - logits[target];
      const penalty = 1 + 2 * zLoss * logSum;
      if (gradients === undefined || dx === undefined || dw === undefined) continue;
      for (let id = 0; id < vocabulary; id++) {
        const share = (Math.exp(logits[id] - maximum) / total) * penalty;
        const change = rounded(gradients.scale * (share - (id === target ? 1 : 0)));
        if (db) db[id] += change;
        for (let i = 0; i < width; i++) {
          dx[token * width + i] += change * head[id * width + i];
          dw[id * width + i] += change * hidden[token * width + i];
        }
      }
    }
  },
});
