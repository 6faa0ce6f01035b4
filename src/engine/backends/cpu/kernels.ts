/** The kernel table over the native library: checks shapes, then calls with addresses and strides. */
import { TilthError } from "../../../foundation/index.ts";
import type {
  ActivationKind,
  AttentionShape,
  AttentionTensors,
  HeadNormShape,
  Kernels,
  Precision,
} from "../../backend.ts";
import { dropoutConstants } from "../../dropout.ts";
import { attentionPageTokens } from "../../paging.ts";
import { elementCount, rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { addressOf, bfloat16Flag, commonType, flat, numbers, requireShape, stridedNumbers } from "./checks.ts";
import { gatedKernels } from "./gated-kernels.ts";
import { imageKernels } from "./image-kernels.ts";
import type { NativeLibraryFunctions } from "./library.ts";

/** The kernels of the native library on `threads` threads, matrix products in `precision`. */
export function nativeKernels(library: NativeLibraryFunctions, threads: number, precision: Precision): Kernels {
  const bf16 = Number(precision === "bf16");
  return {
    fill: (out, value) => void library.fill(threads, ...numbers(out, "fill"), value, elementCount(out)),

    copy(out, from) {
      requireShape(from, rowsOf(out), widthOf(out), "copy: from");
      const sizes = [rowsOf(out), widthOf(out)];
      if (out.type !== "i32") {
        library.copy(threads, ...stridedNumbers(out, "copy"), ...stridedNumbers(from, "copy: from"), ...sizes);
        return;
      }
      // Whole numbers of four bytes are copied as f32 are.
      const [to, source] = [addressOf(out, "i32", "copy"), addressOf(from, "i32", "copy: from")];
      library.copy(threads, to, out.rowStride, 0, source, from.rowStride, 0, ...sizes);
    },

    add(out, a, b) {
      const count = sameCount("add", out, a, b);
      library.add(threads, ...numbers(out, "add"), ...numbers(a, "add"), ...numbers(b, "add"), count);
    },

    scale(out, x, factor) {
      library.scale(threads, flat(out, "scale"), flat(x, "scale"), factor, sameCount("scale", out, x));
    },

    sum: (out, x) => void library.sum(threads, flat(out, "sum"), flat(x, "sum"), elementCount(x)),
    norm: (out, x) => void library.norm(threads, flat(out, "norm"), flat(x, "norm"), elementCount(x)),

    matmul(out, a, b, { transposeA = false, transposeB = false, accumulate = false, bias }) {
      const [m, k] = transposeA ? [widthOf(a), rowsOf(a)] : [rowsOf(a), widthOf(a)];
      const [inner, n] = transposeB ? [widthOf(b), rowsOf(b)] : [rowsOf(b), widthOf(b)];
      if (inner !== k) throw new RangeError(`matmul: inner lengths ${k} and ${inner} differ`);
      requireShape(out, m, n, "matmul: out");
      if (bias) requireCounts("matmul: bias", [bias, n]);
      if (precision === "f32") {
        const stored = b.type === "bf16";
        if (stored && (transposeA || !transposeB)) throw new RangeError("matmul: stored weights multiply as a · bᵀ");
        for (const one of stored ? [out, a] : [out, a, b]) requireSingle(one, "matmul");
      }
      const flags = [out, a, b].map((tensor) => bfloat16Flag(tensor, "matmul"));
      const [to, left, right] = [out, a, b].map((tensor) => addressOf(tensor, tensor.type, "matmul"));
      library.matmul(
        threads,
        ...[to, out.rowStride, flags[0], left, a.rowStride, Number(transposeA), flags[1]],
        ...[right, b.rowStride, Number(transposeB), flags[2], optional(bias, "matmul: bias"), m, n, k],
        ...[Number(accumulate), bf16],
      );
    },

    embedding(out, table, ids) {
      requireShape(out, elementCount(ids), widthOf(table), "embedding: out");
      const sizes = [elementCount(ids), widthOf(table), rowsOf(table)];
      const [to, from] = [flat(out, "embedding"), flat(table, "embedding", table.type)];
      const gather = table.type === "bf16" ? library.stored_embedding : library.embedding;
      requireIds("embedding", gather(threads, to, from, flat(ids, "embedding: ids", "i32"), ...sizes), table);
    },

    embeddingBackward(tableGradient, gradient, ids) {
      requireShape(gradient, elementCount(ids), widthOf(tableGradient), "embeddingBackward: gradient");
      const sizes = [elementCount(ids), widthOf(tableGradient), rowsOf(tableGradient)];
      const [to, from] = [flat(tableGradient, "embeddingBackward"), flat(gradient, "embeddingBackward")];
      const positions = flat(ids, "embeddingBackward: ids", "i32");
      const bad = library.embedding_backward(threads, to, from, positions, ...sizes);
      requireIds("embeddingBackward", bad, tableGradient);
    },

    rmsNorm({ out, inverseRms, x, weight, delta, sum, epsilon }) {
      const [rows, width] = [rowsOf(x), widthOf(x)];
      for (const matrix of [out, delta, sum]) if (matrix) requireShape(matrix, rows, width, "rmsNorm");
      requireCounts("rmsNorm", [inverseRms, rows], [weight, width]);
      requireTogether("rmsNorm", delta, sum);
      const [inverse, from, factor, total] = [inverseRms, x, weight, sum].map((one) => optional(one, "rmsNorm"));
      const [to, added] = [numbers(out, "rmsNorm: out"), numbers(delta, "rmsNorm: delta")];
      library.rms_norm(threads, ...to, inverse, from, factor, ...added, total, rows, width, epsilon);
    },

    rmsNormBackward({ xGradient, weightGradient, gradient, x, weight, inverseRms, residualGradient }) {
      const [rows, width] = [rowsOf(x), widthOf(x)];
      for (const matrix of [xGradient, gradient, residualGradient]) {
        if (matrix) requireShape(matrix, rows, width, "rmsNormBackward");
      }
      requireCounts("rmsNormBackward", [inverseRms, rows], [weight, width], [weightGradient, width]);
      const targets = [xGradient, weightGradient].map((one) => flat(one, "rmsNormBackward"));
      const values = [x, weight, inverseRms, residualGradient].map((one) => optional(one, "rmsNormBackward"));
      library.rms_norm_backward(
        threads,
        ...targets,
        ...numbers(gradient, "rmsNormBackward: gradient"),
        ...values,
        rows,
        width,
      );
    },

    layerNorm({ out, mean, inverseDeviation, x, weight, bias, delta, sum, epsilon }) {
      const [rows, width] = [rowsOf(x), widthOf(x)];
      for (const matrix of [out, delta, sum]) if (matrix) requireShape(matrix, rows, width, "layerNorm");
      requireCounts("layerNorm", [mean, rows], [inverseDeviation, rows], [weight, width], [bias, width]);
      requireTogether("layerNorm", delta, sum);
      const inputs = [mean, inverseDeviation, x, weight, bias].map((one) => flat(one, "layerNorm"));
      const [to, added] = [numbers(out, "layerNorm: out"), numbers(delta, "layerNorm: delta")];
      library.layer_norm(threads, ...to, ...inputs, ...added, optional(sum, "layerNorm"), rows, width, epsilon);
    },

    layerNormBackward(tensors) {
      const { xGradient, weightGradient, biasGradient, gradient, x, weight, mean, inverseDeviation } = tensors;
      const [rows, width] = [rowsOf(x), widthOf(x)];
      for (const matrix of [xGradient, gradient, tensors.residualGradient]) {
        if (matrix) requireShape(matrix, rows, width, "layerNormBackward");
      }
      requireCounts("layerNormBackward", [mean, rows], [inverseDeviation, rows]);
      requireCounts("layerNormBackward", [weight, width], [weightGradient, width], [biasGradient, width]);
      const targets = [xGradient, weightGradient, biasGradient].map((one) => flat(one, "layerNormBackward"));
      const inputs = [x, weight, mean, inverseDeviation, tensors.residualGradient];
      const values = inputs.map((one) => optional(one, "layerNormBackward"));
      const upstream = numbers(gradient, "layerNormBackward: gradient");
      library.layer_norm_backward(threads, ...targets, ...upstream, ...values, rows, width);
    },

    headNorm({ out, inverseRms, x, queryWeight, keyWeight, epsilon }, shape) {
      requireHeads("headNorm", x, inverseRms, shape, [out], [queryWeight, keyWeight]);
      const to = flat(out, "headNorm", commonType("headNorm", x, out));
      const weights = [queryWeight, keyWeight].map((one) => flat(one, "headNorm"));
      const from = [flat(inverseRms, "headNorm"), ...numbers(x, "headNorm")];
      library.head_norm(threads, to, ...from, ...weights, ...headSizes(x, shape), epsilon);
    },

    headNormBackward(tensors, shape) {
      const { xGradient, queryWeightGradient, keyWeightGradient, gradient, x, queryWeight, keyWeight } = tensors;
      const weights = [queryWeightGradient, keyWeightGradient, queryWeight, keyWeight];
      requireHeads("headNormBackward", x, tensors.inverseRms, shape, [xGradient, gradient], weights);
      const type = commonType("headNormBackward", x, gradient, xGradient);
      const [to, upstream] = [xGradient, gradient].map((one) => flat(one, "headNormBackward", type));
      const sums = [queryWeightGradient, keyWeightGradient].map((one) => flat(one, "headNormBackward"));
      const inputs = [queryWeight, keyWeight, tensors.inverseRms].map((one) => flat(one, "headNormBackward"));
      const from = [upstream, ...numbers(x, "headNormBackward")];
      library.head_norm_backward(threads, to, ...sums, ...from, ...inputs, ...headSizes(x, shape));
    },

    activation(out, x, kind) {
      const count = sameCount("activation", out, x);
      const to = flat(out, "activation", commonType("activation", x, out));
      library.activation(threads, to, ...numbers(x, "activation"), count, activationNumbers[kind]);
    },

    activationBackward(xGradient, gradient, x, kind) {
      const count = sameCount("activationBackward", xGradient, gradient, x);
      const type = commonType("activationBackward", x, gradient, xGradient);
      const [to, upstream] = [xGradient, gradient].map((one) => flat(one, "activationBackward", type));
      const from = numbers(x, "activationBackward");
      library.activation_backward(threads, to, upstream, ...from, count, activationNumbers[kind]);
    },

    dropout(out, x, probability, key) {
      const count = sameCount("dropout", out, x);
      const { limit, factor } = dropoutConstants(probability);
      const to = flat(out, "dropout", commonType("dropout", x, out));
      library.dropout(threads, to, ...numbers(x, "dropout"), count, limit, factor, key);
    },

    meanRows(out, x, from, to) {
      const ranges = sameCount("meanRows: ranges", from, to);
      requireShape(out, ranges, widthOf(x), "meanRows: out");
      const tensors = [
        flat(out, "meanRows"),
        flat(x, "meanRows"),
        ...[from, to].map((one) => flat(one, "meanRows", "i32")),
      ];
      requireRanges("meanRows", library.mean_rows(threads, ...tensors, ranges, widthOf(x), rowsOf(x)), x);
    },

    meanRowsBackward(xGradient, gradient, from, to) {
      const ranges = sameCount("meanRowsBackward: ranges", from, to);
      const [rows, width] = [rowsOf(xGradient), widthOf(xGradient)];
      requireShape(gradient, ranges, width, "meanRowsBackward: gradient");
      const tensors = [xGradient, gradient].map((one) => flat(one, "meanRowsBackward"));
      tensors.push(...[from, to].map((one) => flat(one, "meanRowsBackward", "i32")));
      requireRanges(
        "meanRowsBackward",
        library.mean_rows_backward(threads, ...tensors, ranges, width, rows),
        xGradient,
      );
    },

    rope(out, x, table, positions, heads, headSize, inverse) {
      const [tokens, width] = [rowsOf(x), widthOf(x)];
      requireShape(out, tokens, width, "rope: out");
      requireCounts("rope", [positions, tokens]);
      if (headSize % 2 !== 0 || heads * headSize > width || widthOf(table) !== headSize) {
        throw new RangeError(`rope: ${heads} heads of ${headSize} do not fit rows of ${width} and this table`);
      }
      const bad = library.rope(
        threads,
        ...[addressOf(out, commonType("rope", x, out), "rope"), out.rowStride, ...stridedNumbers(x, "rope")],
        ...[flat(table, "rope: table"), flat(positions, "rope: positions", "i32")],
        ...[tokens, width, heads, headSize, rowsOf(table), Number(inverse)],
      );
      if (bad !== 0) {
        throw new TilthError(`rope: the position of token ${bad - 1} is outside a table of ${rowsOf(table)} positions`);
      }
    },

    attention(tensors, shape) {
      requireAttention(tensors, shape);
      library.attention(
        threads,
        attentionFlag(tensors.query, tensors.key, tensors.value, tensors.out),
        ...strided(tensors.query, tensors.key, tensors.value, tensors.out),
        ...rest(tensors, shape, pagesOf(tensors)),
        bf16,
      );
    },

    attentionBackward(tensors, shape) {
      requireAttention(tensors, shape);
      const { query, key, value, out, gradient, queryGradient, keyGradient, valueGradient } = tensors;
      for (const [one, like] of [
        [gradient, out],
        [queryGradient, query],
        [keyGradient, key],
        [valueGradient, value],
      ]) {
        requireShape(one, rowsOf(like), widthOf(like), "attentionBackward");
      }
      const [logSumExp, ...mask] = rest(tensors, shape);
      library.attention_backward(
        threads,
        attentionFlag(query, key, value, out, gradient, queryGradient, keyGradient, valueGradient),
        ...strided(query, key, value, out),
        logSumExp,
        ...strided(gradient, queryGradient, keyGradient, valueGradient),
        ...mask,
        bf16,
      );
    },

    ...gatedKernels(library, threads),

    headCrossEntropy({ losses, gaps, x, weight, bias, targets, zLoss = 0, gradients }) {
      const [tokens, width, vocabulary] = [rowsOf(x), widthOf(x), rowsOf(weight)];
      const what = "headCrossEntropy";
      requireShape(weight, vocabulary, width, "headCrossEntropy: weight");
      requireCounts(what, [losses, tokens], [targets, tokens]);
      if (gaps) requireCounts("headCrossEntropy: gaps", [gaps, tokens]);
      for (const one of [bias, gradients?.bias]) if (one) requireCounts("headCrossEntropy: bias", [one, vocabulary]);
      if (gradients?.bias && !bias) throw new RangeError("headCrossEntropy: a gradient of the bias needs the bias");
      if (precision === "f32") requireSingle(x, "headCrossEntropy: x");
      if (gradients) requireShape(gradients.x, tokens, width, "headCrossEntropy: gradients.x");
      if (gradients) requireShape(gradients.weight, vocabulary, width, "headCrossEntropy: gradients.weight");
      const bad = library.head_cross_entropy(
        threads,
        ...[flat(losses, what), optional(gaps, what), ...numbers(x, what), flat(weight, what), optional(bias, what)],
        flat(targets, "headCrossEntropy: targets", "i32"),
        ...[gradients?.x, gradients?.weight, gradients?.bias].map((one) =>
          optional(one, "headCrossEntropy: gradients"),
        ),
        ...[
          tokens,
          width,
          vocabulary,
          gradients?.scale ?? 1,
          zLoss,
          Number(gradients?.accumulateWeight ?? false),
          bf16,
        ],
      );
      if (bad < 0) throw new TilthError("headCrossEntropy: there is no memory for a block of logits");
      if (bad > 0) {
        throw new TilthError(`headCrossEntropy: target of token ${bad - 1} is outside a vocabulary of ${vocabulary}`);
      }
    },

    ...imageKernels(library, threads, precision),

    adamW({ parameters, gradients, firstMoment, secondMoment, gradientNorm }, settings) {
      const count = sameCount("adamW", parameters, gradients, firstMoment, secondMoment);
      const tensors = [parameters, gradients, firstMoment, secondMoment, gradientNorm].map((one) => flat(one, "adamW"));
      const { learningRate, beta1, beta2, epsilon, weightDecay, step, maximumNorm } = settings;
      library.adamw(threads, ...tensors, count, learningRate, beta1, beta2, epsilon, weightDecay, step, maximumNorm);
    },

    muon({ parameters, gradients, momentum, gradientNorm }, settings) {
      const [rows, width] = [rowsOf(parameters), widthOf(parameters)];
      for (const one of [gradients, momentum]) requireShape(one, rows, width, "muon");
      const tensors = [parameters, gradients, momentum, gradientNorm].map((one) => flat(one, "muon"));
      const { learningRate, momentum: share, weightDecay, scale, maximumNorm } = settings;
      const failed = library.muon(
        threads,
        ...tensors,
        rows,
        width,
        learningRate,
        share,
        weightDecay,
        scale,
        maximumNorm,
        bf16,
      );
      if (failed !== 0) throw new TilthError(`muon: there is no memory to step a matrix of ${rows} × ${width}`);
    },
  };
}

/** As native/activation.cpp counts them. */
const activationNumbers: Readonly<Record<ActivationKind, number>> = {
  ...{ gelu: 0, "gelu-tanh": 1, "quick-gelu": 2, tanh: 3 },
};

function requireHeads(
  what: string,
  x: Tensor,
  inverseRms: Tensor,
  { queryHeads, keyHeads, headSize }: HeadNormShape,
  alike: readonly Tensor[],
  weights: readonly Tensor[],
): void {
  const [tokens, width] = [rowsOf(x), widthOf(x)];
  const heads = queryHeads + keyHeads;
  if (heads * headSize > width) throw new RangeError(`${what}: ${heads} heads of ${headSize} in rows of ${width}`);
  for (const one of alike) requireShape(one, tokens, width, what);
  for (const one of weights) requireCounts(what, [one, headSize]);
  requireCounts(what, [inverseRms, tokens * heads]);
}

function headSizes(x: Tensor, { queryHeads, keyHeads, headSize }: HeadNormShape): number[] {
  return [rowsOf(x), widthOf(x), queryHeads, keyHeads, headSize];
}

function requireRanges(what: string, bad: number, x: Tensor): void {
  if (bad !== 0) throw new TilthError(`${what}: range ${bad - 1} is not within ${rowsOf(x)} rows`);
}

function optional(tensor: Tensor | undefined, what: string): number {
  return tensor === undefined ? 0 : flat(tensor, what);
}

function requireTogether(what: string, delta: Tensor | undefined, sum: Tensor | undefined): void {
  if ((delta === undefined) !== (sum === undefined)) {
    throw new RangeError(`${what}: delta and sum are given together or not at all`);
  }
}

function requireSingle(tensor: Tensor, what: string): void {
  if (tensor.type !== "f32")
    throw new TypeError(`${what}: a backend of precision f32 multiplies f32, not ${tensor.type}`);
}

function attentionFlag(...tensors: Tensor[]): number {
  return Number(commonType("attention", ...tensors) === "bf16");
}

function sameCount(what: string, ...tensors: Tensor[]): number {
  const counts = tensors.map(elementCount);
  if (counts.some((count) => count !== counts[0]))
    throw new RangeError(`${what}: lengths differ: ${counts.join(", ")}`);
  return counts[0];
}

function requireCounts(what: string, ...pairs: [Tensor, number][]): void {
  for (const [tensor, count] of pairs) {
    if (elementCount(tensor) !== count)
      throw new RangeError(`${what}: expected ${count} elements, got [${tensor.shape}]`);
  }
}

function requireIds(what: string, bad: number, table: Tensor): void {
  if (bad !== 0)
    throw new TilthError(`${what}: the id of token ${bad - 1} is outside a vocabulary of ${rowsOf(table)}`);
}

function requireAttention(tensors: AttentionTensors, shape: AttentionShape): void {
  const { sequences, queryLength, keyLength, heads, keyValueHeads, headSize } = shape;
  if (heads % keyValueHeads !== 0)
    throw new RangeError(`attention: ${heads} heads over ${keyValueHeads} key/value heads`);
  const tokens = sequences * queryLength;
  requireShape(tensors.query, tokens, heads * headSize, "attention: query");
  const { pages } = tensors;
  const keyRows = pages === undefined ? sequences * keyLength : rowsOf(tensors.key);
  requireShape(tensors.key, keyRows, keyValueHeads * headSize, "attention: key");
  requireShape(tensors.value, keyRows, keyValueHeads * headSize, "attention: value");
  if (pages) requireCounts("attention: pages", [pages, sequences * Math.ceil(keyLength / attentionPageTokens)]);
  requireShape(tensors.out, tokens, heads * headSize, "attention: out");
  requireCounts("attention: logSumExp", [tensors.logSumExp, heads * tokens]);
  const { visibleFrom, visibleTo } = tensors;
  if ((visibleFrom === undefined) !== (visibleTo === undefined)) {
    throw new RangeError("attention: visibleFrom and visibleTo are given together or not at all");
  }
  if (visibleFrom && visibleTo) requireCounts("attention: mask", [visibleFrom, tokens], [visibleTo, tokens]);
}

function strided(...tensors: Tensor[]): number[] {
  return tensors.flatMap((tensor) => [addressOf(tensor, tensor.type, "attention"), tensor.rowStride]);
}

function pagesOf({ pages }: AttentionTensors): number {
  return pages === undefined ? 0 : flat(pages, "attention: pages", "i32");
}

function rest(
  { logSumExp, visibleFrom, visibleTo }: AttentionTensors,
  shape: AttentionShape,
  ...pages: number[]
): number[] {
  const mask = [visibleFrom, visibleTo].map((one) => (one === undefined ? 0 : flat(one, "attention: mask", "i32")));
  const { sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal } = shape;
  const sizes = [sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, Number(causal)];
  return [flat(logSumExp, "attention: logSumExp"), ...mask, ...pages, ...sizes];
}
