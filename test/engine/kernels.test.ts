import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import {
  attentionPageTokens,
  type Backend,
  createBackend,
  type Kernels,
  type Precision,
  type Tensor,
} from "../../src/engine/index.ts";
import { emulatedAmxLibrary } from "../support/amx.ts";
import { elementsOf, relativeDifference, sameBits, Workbench } from "../support/workbench.ts";

/** One call of a kernel: makes its inputs on the bench, runs it, returns what it wrote. */
interface Case {
  readonly kernel: keyof Kernels;
  readonly name: string;
  /** Largest difference allowed, as a share of the largest value; the reference sums in f64. */
  readonly tolerance: number;
  run(bench: Workbench, kernels: Kernels): Tensor[];
}

const lengths = [1, 7, 17, 63, 65, 129];
const cases: Case[] = [];
const add = (kernel: keyof Kernels, name: string, tolerance: number, run: Case["run"]) =>
  cases.push({ kernel, name, tolerance, run });

for (const count of [1, 17, 65, 40_001]) {
  add("fill", `${count}`, 0, (bench, kernels) => {
    const out = bench.emptyNumbers([count]);
    kernels.fill(out, -2.5);
    return [out];
  });
  add("add", `${count}, into an operand too`, 0, (bench, kernels) => {
    const [a, b, out] = [bench.normal([count]), bench.numbers([count]), bench.emptyNumbers([count])];
    kernels.add(out, a, b);
    kernels.add(a, a, b);
    return [out, a];
  });
  add("scale", `${count}`, 1e-7, (bench, kernels) => {
    const [x, out] = [bench.normal([count]), bench.empty([count])];
    kernels.scale(out, x, 1 / 3);
    kernels.scale(x, x, -7);
    return [out, x];
  });
  add("sum", `${count}`, 1e-6, (bench, kernels) => {
    const out = bench.empty([1]);
    kernels.sum(out, bench.normal([count]));
    return [out];
  });
  add("norm", `${count}`, 1e-6, (bench, kernels) => {
    const out = bench.empty([1]);
    kernels.norm(out, bench.normal([count], 1e15));
    return [out];
  });
  for (const norm of [0.5, 3]) {
    add("adamW", `${count}, gradient norm ${norm}`, 1e-6, (bench, kernels) => {
      const [parameters, gradients, firstMoment] = [1, 2, 3].map(() => bench.normal([count]));
      const secondMoment = bench.normal([count]);
      kernels.fill(secondMoment, 0.3);
      const gradientNorm = bench.values(Float32Array.of(norm));
      const common = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
      kernels.adamW(
        { parameters, gradients, firstMoment, secondMoment, gradientNorm },
        { ...common, weightDecay: 0.1, step: 3, maximumNorm: 1 },
      );
      return [parameters, firstMoment, secondMoment];
    });
  }
}

for (const count of [1, 17, 65, 40_001]) {
  for (const kind of ["gelu", "gelu-tanh", "quick-gelu", "tanh"] as const) {
    add("activation", `${kind} of ${count}, in place too`, 1e-6, (bench, kernels) => {
      const [x, out] = [bench.numbers([count], 3), bench.emptyNumbers([count])];
      kernels.activation(out, x, kind);
      kernels.activation(x, x, kind);
      return [out, x];
    });
    add("activationBackward", `${kind} of ${count}, in place too`, 1e-6, (bench, kernels) => {
      const [x, gradient, out] = [bench.numbers([count], 3), bench.numbers([count]), bench.emptyNumbers([count])];
      kernels.activationBackward(out, gradient, x, kind);
      kernels.activationBackward(gradient, gradient, x, kind);
      return [out, gradient];
    });
  }
  for (const probability of [0, 0.1, 0.75]) {
    add("dropout", `${count}, probability ${probability}`, 0, (bench, kernels) => {
      const [x, out] = [bench.numbers([count]), bench.emptyNumbers([count])];
      kernels.dropout(out, x, probability, 0xdeadbeef);
      kernels.dropout(x, x, probability, 7);
      return [out, x];
    });
  }
}

/** Four ranges within `rows` rows: all, the first half, an empty one, the last row. */
const rangesOf = (rows: number) => [
  Int32Array.of(0, 0, rows >> 1, rows - 1),
  Int32Array.of(rows, (rows + 1) >> 1, rows >> 1, rows),
];

for (const rows of lengths) {
  const width = lengths[(lengths.indexOf(rows) * 5 + 3) % lengths.length];
  add("copy", `${rows} × ${width}, strides on both sides`, 0, (bench, kernels) => {
    const [to, from] = [bench.stridedNumbers(rows, width, 3), bench.strided(rows, width, 5)];
    kernels.copy(to, from);
    const back = bench.strided(rows, width, 1);
    kernels.copy(back, to);
    return [to, back];
  });
  for (const withDelta of [false, true]) {
    add("rmsNorm", `${rows} × ${width}, ${withDelta ? "with" : "without"} a residual`, 1e-5, (bench, kernels) => {
      const [x, delta, weight] = [bench.normal([rows, width]), bench.numbers([rows, width]), bench.normal([width])];
      const [out, sum, inverseRms] = [
        bench.emptyNumbers([rows, width]),
        bench.empty([rows, width]),
        bench.empty([rows]),
      ];
      kernels.rmsNorm({ out, inverseRms, x, weight, epsilon: 1e-5, ...(withDelta ? { delta, sum } : {}) });
      return withDelta ? [out, inverseRms, sum] : [out, inverseRms];
    });
    add("rmsNormBackward", `${rows} × ${width}, residual ${withDelta}`, 2e-5, (bench, kernels) => {
      const [x, residualGradient] = [1, 2].map(() => bench.normal([rows, width]));
      const gradient = bench.numbers([rows, width]);
      const [weight, weightGradient] = [bench.normal([width]), bench.normal([width])];
      const [out, inverseRms, xGradient] = [
        bench.emptyNumbers([rows, width]),
        bench.empty([rows]),
        bench.empty([rows, width]),
      ];
      kernels.rmsNorm({ out, inverseRms, x, weight, epsilon: 1e-5 });
      kernels.rmsNormBackward({
        ...{ xGradient, weightGradient, gradient, x, weight, inverseRms },
        ...(withDelta ? { residualGradient } : {}),
      });
      return [xGradient, weightGradient];
    });
  }
  for (const withDelta of [false, true]) {
    add("layerNorm", `${rows} × ${width}, ${withDelta ? "with" : "without"} a residual`, 1e-5, (bench, kernels) => {
      const [x, delta] = [bench.normal([rows, width], 3), bench.numbers([rows, width])];
      const [weight, bias] = [bench.normal([width]), bench.normal([width])];
      const [out, sum] = [bench.emptyNumbers([rows, width]), bench.empty([rows, width])];
      const [mean, inverseDeviation] = [bench.empty([rows]), bench.empty([rows])];
      kernels.layerNorm({
        ...{ out, mean, inverseDeviation, x, weight, bias, epsilon: 1e-3 },
        ...(withDelta ? { delta, sum } : {}),
      });
      return withDelta ? [out, mean, inverseDeviation, sum] : [out, mean, inverseDeviation];
    });
    // One column has no gradient but rounding.
    add("layerNormBackward", `${rows} × ${width + 1}, residual ${withDelta}`, 2e-5, (bench, kernels) => {
      const columns = width + 1;
      const [x, residualGradient] = [1, 2].map(() => bench.normal([rows, columns]));
      const gradient = bench.numbers([rows, columns]);
      const [weight, bias, weightGradient, biasGradient] = [1, 2, 3, 4].map(() => bench.normal([columns]));
      const [out, mean, inverseDeviation] = [bench.empty([rows, columns]), bench.empty([rows]), bench.empty([rows])];
      kernels.layerNorm({ out, mean, inverseDeviation, x, weight, bias, epsilon: 1e-3 });
      kernels.layerNormBackward({
        ...{ xGradient: out, weightGradient, biasGradient, gradient, x, weight, mean, inverseDeviation },
        ...(withDelta ? { residualGradient } : {}),
      });
      return [out, weightGradient, biasGradient];
    });
  }
  const shape = { queryHeads: 3, keyHeads: 1, headSize: width };
  add("headNorm", `${rows} tokens, heads of ${width}, further columns`, 1e-5, (bench, kernels) => {
    const [queryWeight, keyWeight] = [bench.normal([width]), bench.normal([width])];
    const [x, inverseRms] = [bench.numbers([rows, 5 * width]), bench.empty([rows, 4])];
    const out = bench.emptyNumbers([rows, 5 * width]);
    kernels.headNorm({ out, inverseRms, x, queryWeight, keyWeight, epsilon: 1e-5 }, shape);
    return [out, inverseRms];
  });
  add("headNormBackward", `${rows} tokens, heads of ${width}`, 2e-5, (bench, kernels) => {
    const [x, gradient] = [bench.numbers([rows, 5 * width]), bench.numbers([rows, 5 * width])];
    const [queryWeight, keyWeight, queryWeightGradient, keyWeightGradient] = [1, 2, 3, 4].map(() =>
      bench.normal([width]),
    );
    const [xGradient, inverseRms] = [bench.emptyNumbers([rows, 5 * width]), bench.empty([rows, 4])];
    kernels.headNorm({ out: xGradient, inverseRms, x, queryWeight, keyWeight, epsilon: 1e-3 }, shape);
    const weights = { queryWeight, keyWeight, queryWeightGradient, keyWeightGradient };
    kernels.headNormBackward({ xGradient, gradient, x, inverseRms, ...weights }, shape);
    return [xGradient, queryWeightGradient, keyWeightGradient];
  });
  add("meanRows", `ranges of ${rows} rows × ${width}, one of them empty`, 1e-6, (bench, kernels) => {
    const [x, out] = [bench.normal([rows, width]), bench.empty([4, width])];
    const [from, to] = rangesOf(rows).map((ends) => bench.values(ends));
    kernels.meanRows(out, x, from, to);
    return [out];
  });
  add("meanRowsBackward", `ranges of ${rows} rows × ${width}, overlapping`, 1e-6, (bench, kernels) => {
    const [x, gradient] = [bench.normal([rows, width]), bench.normal([4, width])];
    const [from, to] = rangesOf(rows).map((ends) => bench.values(ends));
    kernels.meanRowsBackward(x, gradient, from, to);
    return [x];
  });
  for (const gate of ["swiglu", "geglu"] as const) {
    add(gate, `${rows} × ${width}`, 1e-6, (bench, kernels) => {
      const out = bench.emptyNumbers([rows, width]);
      kernels[gate](out, bench.numbers([rows, 2 * width], 5));
      return [out];
    });
    add(`${gate}Backward`, `${rows} × ${width}`, 1e-6, (bench, kernels) => {
      const out = bench.emptyNumbers([rows, 2 * width]);
      kernels[`${gate}Backward`](out, bench.numbers([rows, width]), bench.numbers([rows, 2 * width], 5));
      return [out];
    });
  }
  const vocabulary = 11;
  add("embedding", `${rows} ids × ${width}`, 0, (bench, kernels) => {
    const out = bench.empty([rows, width]);
    kernels.embedding(
      out,
      bench.normal([vocabulary, width]),
      bench.values(Int32Array.from(bench.below(vocabulary, rows))),
    );
    return [out];
  });
  add("embeddingBackward", `${rows} ids × ${width}`, 1e-6, (bench, kernels) => {
    const out = bench.normal([vocabulary, width]);
    kernels.embeddingBackward(
      out,
      bench.normal([rows, width]),
      bench.values(Int32Array.from(bench.below(vocabulary, rows))),
    );
    return [out];
  });
  for (const inverse of [false, true]) {
    add("rope", `${rows} tokens, ${inverse ? "back" : "forth"}, strides, further columns`, 1e-6, (bench, kernels) => {
      const [heads, headSize] = [3, [2, 14, 32, 80][rows % 4]];
      const table = bench.normal([20, headSize]);
      const positions = bench.values(Int32Array.from(bench.below(20, rows)));
      const [x, out] = [2, 7].map((extra) => bench.stridedNumbers(rows, heads * headSize + 5, extra));
      kernels.rope(out, x, table, positions, heads, headSize, inverse);
      kernels.rope(x, x, table, positions, heads, headSize, inverse);
      return [out, x];
    });
  }
}

for (const [m, n, k] of [
  ...lengths.map((one, i) => [one, lengths[(i + 2) % 6], lengths[(i + 5) % 6]]),
  ...[
    [129, 65, 300],
    [3, 129, 520],
    [40, 1030, 7],
    [300, 33, 1025],
  ],
]) {
  for (const [transposeA, transposeB] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ]) {
    for (const accumulate of [false, true]) {
      const name = `${m} × ${n} × ${k}${transposeA ? ", Aᵀ" : ""}${transposeB ? ", Bᵀ" : ""}${accumulate ? ", added" : ""}, strides`;
      add("matmul", name, 2e-6, (bench, kernels) => {
        const a = transposeA ? bench.stridedNumbers(k, m, 3) : bench.stridedNumbers(m, k, 3);
        // As weights and gradients of weights are, some operands and results stay f32.
        const right = accumulate ? bench.stridedNumbers.bind(bench) : bench.strided.bind(bench);
        const b = transposeB ? right(n, k, 1) : right(k, n, 1);
        const out = transposeA ? bench.strided(m, n, 2) : bench.stridedNumbers(m, n, 2);
        // Layers with a bias are not turned on the left.
        const bias = transposeA ? {} : { bias: bench.normal([n]) };
        kernels.matmul(out, a, b, { transposeA, transposeB, accumulate, ...bias });
        return [out];
      });
    }
  }
}

/** Sequences, queries, keys, heads, key/value heads, head size, causal, document mask. */
const attentions: readonly [number, number, number, number, number, number, boolean, boolean][] = [
  [1, 1, 1, 1, 1, 2, true, false],
  [2, 7, 7, 2, 1, 32, true, true],
  [1, 17, 65, 4, 2, 64, true, false],
  [3, 63, 63, 2, 2, 80, false, true],
  [1, 65, 65, 3, 1, 128, true, true],
  [2, 129, 129, 2, 1, 32, true, true],
  [1, 129, 129, 1, 1, 17, false, false],
  [1, 1, 129, 4, 2, 64, true, false],
  [2, 3, 70, 2, 2, 33, true, false],
];
for (const [sequences, queryLength, keyLength, heads, keyValueHeads, headSize, causal, mask] of attentions) {
  const name = `${sequences} × ${queryLength}/${keyLength}, ${heads}/${keyValueHeads} heads of ${headSize}${causal ? ", causal" : ""}${mask ? ", documents" : ""}`;
  const make = (bench: Workbench, kernels: Kernels, paged = false) => {
    const scale = 1 / Math.sqrt(headSize);
    const shape = { sequences, queryLength, keyLength, heads, keyValueHeads, headSize, scale, causal };
    const perSequence = Math.ceil(keyLength / attentionPageTokens);
    const count = sequences * perSequence;
    const tokens = sequences * queryLength;
    const keys = paged ? count * attentionPageTokens : sequences * keyLength;
    // From the last to the first: no sequence's pages lie one after the other.
    const pages = bench.values(Int32Array.from({ length: count }, (_, page) => count - 1 - page));
    const query = bench.stridedNumbers(tokens, heads * headSize, 5);
    const [key, value] = [1, 2].map(() => bench.stridedNumbers(keys, keyValueHeads * headSize, 3));
    const [out, logSumExp] = [bench.emptyNumbers([tokens, heads * headSize]), bench.empty([heads, tokens])];
    // Ranges of all kinds, some of them empty.
    const from = bench.below(queryLength + 1, tokens).map((one, i) => (i % 5 === 0 ? one : Math.floor(one / 3)));
    const to = bench.below(keyLength + 1, tokens).map((one, i) => (i % 3 === 0 ? one : keyLength));
    const [visibleFrom, visibleTo] = [from, to].map((one) => bench.values(Int32Array.from(one)));
    const tensors = { query, key, value, out, logSumExp, ...(mask ? { visibleFrom, visibleTo } : {}) };
    kernels.attention(paged ? { ...tensors, pages } : tensors, shape);
    return { tensors, shape, tokens, keys };
  };
  add("attention", name, 2e-6, (bench, kernels) => {
    const { tensors } = make(bench, kernels);
    return [tensors.out, tensors.logSumExp];
  });
  add("attention", `${name}, in pages`, 2e-6, (bench, kernels) => {
    const { tensors } = make(bench, kernels, true);
    return [tensors.out, tensors.logSumExp];
  });
  add("attentionBackward", name, 5e-6, (bench, kernels) => {
    const { tensors, shape, tokens, keys } = make(bench, kernels);
    const gradient = bench.stridedNumbers(tokens, heads * headSize, 1);
    const queryGradient = bench.stridedNumbers(tokens, heads * headSize, 2);
    const [keyGradient, valueGradient] = [1, 2].map(() => bench.stridedNumbers(keys, keyValueHeads * headSize, 4));
    kernels.attentionBackward({ ...tensors, gradient, queryGradient, keyGradient, valueGradient }, shape);
    return [queryGradient, keyGradient, valueGradient];
  });
}

for (const [tokens, width, vocabulary] of [
  [1, 7, 17],
  [17, 65, 129],
  [65, 33, 5003],
  [129, 17, 2049],
]) {
  for (const [withBias, withGradients, zLoss] of [
    [false, false, 0],
    [false, false, 0.01],
    [false, true, 0],
    [false, true, 0.01],
    [true, false, 0],
    [true, true, 0],
  ] as const) {
    const extras = [withBias && "bias", withGradients && "gradients", zLoss > 0 && "z-loss"].filter(Boolean);
    const name = [`${tokens} × ${width} × ${vocabulary}`, ...extras].join(", ");
    add("headCrossEntropy", name, 5e-6, (bench, kernels) => {
      const [x, weight] = [bench.numbers([tokens, width]), bench.normal([vocabulary, width])];
      const targets = bench.values(
        Int32Array.from(bench.below(vocabulary, tokens), (one, i) => (i % 4 === 3 ? -1 : one)),
      );
      const [losses, gaps] = [bench.empty([tokens]), bench.empty([tokens])];
      const filled = {
        ...{ x: bench.empty([tokens, width]), weight: bench.normal([vocabulary, width]) },
        ...(withBias ? { bias: bench.normal([vocabulary]) } : {}),
      };
      const gradients = { ...filled, scale: 0.3, accumulateWeight: tokens > 20 };
      const bias = withBias ? bench.normal([vocabulary]) : undefined;
      kernels.headCrossEntropy({
        losses,
        gaps,
        x,
        weight,
        bias,
        targets,
        zLoss,
        ...(withGradients ? { gradients } : {}),
      });
      return withGradients ? [losses, gaps, ...Object.values(filled)] : [losses, gaps];
    });
  }
}

for (const [rows, width] of [
  [1, 1],
  [7, 63],
  [65, 17],
  [129, 129],
]) {
  // Five iterations multiply what is small by up to 480: rounding too.
  add("muon", `${rows} × ${width}`, 2e-4, (bench, kernels) => {
    const [parameters, gradients, momentum] = [1, 2, 3].map(() => bench.normal([rows, width]));
    const gradientNorm = bench.values(Float32Array.of(2));
    const settings = { learningRate: 0.1, momentum: 0.95, weightDecay: 0.1, scale: 2, maximumNorm: 1 };
    kernels.muon({ parameters, gradients, momentum, gradientNorm }, settings);
    return [parameters, momentum];
  });
}

for (const [images, side, patch, leading] of [
  [1, 4, 4, 0],
  [3, 10, 5, 1],
  [5, 63, 7, 1],
  [9, 64, 16, 0],
]) {
  const [grid, width] = [(side / patch) ** 2, 3 * patch ** 2];
  add("patches", `${images} × ${side}² by ${patch}, ${leading} leading`, 0, (bench, kernels) => {
    const out = bench.empty([images * (leading + grid), width]);
    kernels.patches(out, bench.normal([images, 3, side, side]), patch, leading);
    return [out];
  });
}
for (const [rows, width, period] of [
  [1, 1, 1],
  [17, 63, 5],
  [300, 129, 1],
  [390, 65, 65],
]) {
  add("addRows", `${rows} × ${width}, every ${period}, strides`, 0, (bench, kernels) => {
    const [x, out, table] = [
      bench.strided(rows, width, 3),
      bench.strided(rows, width, 1),
      bench.normal([period, width]),
    ];
    kernels.addRows(out, x, table);
    kernels.addRows(x, x, table);
    return [out, x];
  });
  add("addRowsBackward", `${rows} × ${width}, every ${period}, strides`, 1e-6, (bench, kernels) => {
    const table = bench.normal([period, width]);
    kernels.addRowsBackward(table, bench.stridedNumbers(rows, width, 2));
    return [table];
  });
}
for (const rows of lengths) {
  const width = lengths[(lengths.indexOf(rows) + 2) % lengths.length];
  add("l2Normalize", `${rows} × ${width}`, 1e-6, (bench, kernels) => {
    const [x, out, inverseNorm] = [bench.normal([rows, width]), bench.empty([rows, width]), bench.empty([rows])];
    kernels.l2Normalize(out, inverseNorm, x);
    return [out, inverseNorm];
  });
  add("l2NormalizeBackward", `${rows} × ${width + 1}`, 2e-6, (bench, kernels) => {
    const [x, gradient] = [bench.normal([rows, width + 1]), bench.normal([rows, width + 1])];
    const [out, inverseNorm, xGradient] = [
      bench.empty([rows, width + 1]),
      bench.empty([rows]),
      bench.empty([rows, width + 1]),
    ];
    kernels.l2Normalize(out, inverseNorm, x);
    kernels.l2NormalizeBackward(xGradient, gradient, out, inverseNorm);
    return [xGradient];
  });
}
for (const [pairs, width] of [
  [1, 7],
  [17, 33],
  [65, 129],
  [300, 16],
  [2101, 3], // more than one block of logits
]) {
  for (const bias of [false, true]) {
    for (const withGradients of [false, true]) {
      const name = `${pairs} × ${width}${bias ? ", sigmoid" : ""}${withGradients ? ", gradients" : ""}`;
      add("contrastiveLoss", name, 1e-5, (bench, kernels) => {
        const [images, texts] = [bench.normal([pairs, width], 0.5), bench.normal([pairs, width], 0.5)];
        const [loss, logitScale] = [bench.empty([1]), bench.values(Float32Array.of(1.3))];
        const gradients = {
          images: bench.empty([pairs, width]),
          texts: bench.empty([pairs, width]),
          logitScale: bench.empty([1]),
          ...(bias ? { logitBias: bench.empty([1]) } : {}),
        };
        const logitBias = bias ? bench.values(Float32Array.of(-2)) : undefined;
        kernels.contrastiveLoss({
          ...{ loss, images, texts, logitScale, logitBias },
          ...(withGradients ? { gradients } : {}),
        });
        return withGradients ? [loss, ...Object.values(gradients)] : [loss];
      });
    }
  }
}

async function results(
  backend: Backend,
  one: Case,
  seed: number,
  numberType: Precision = "f32",
): Promise<Float32Array[]> {
  const outputs = one.run(new Workbench(backend, seed, numberType), backend.kernels);
  return Promise.all(outputs.map((output) => elementsOf(backend, output)));
}

const expectations = new Map<Case, Promise<Float32Array[]>>();

/** What the reference computes, once for all levels. */
function expectedOf(reference: Backend, one: Case): Promise<Float32Array[]> {
  const known = expectations.get(one) ?? results(reference, one, 11);
  expectations.set(one, known);
  return known;
}

async function nativeBackend(level: string, threads: number, precision: Precision = "f32"): Promise<Backend> {
  if (level === emulatedAmx) return createBackend("cpu", { threads, precision, library: await emulatedAmxLibrary() });
  process.env.TILTH_ISA = level;
  try {
    return await createBackend("cpu", { threads, precision });
  } finally {
    delete process.env.TILTH_ISA;
  }
}

/** Results that may depend on the number of threads: sums over tokens or over a whole tensor. */
const summedByThread: readonly (keyof Kernels)[] = [
  ...(["sum", "norm", "rmsNormBackward", "layerNormBackward", "headNormBackward"] as const),
];

it("every kernel of the contract has cases", async () => {
  const reference = await createBackend("reference");
  expect(new Set(cases.map(({ kernel }) => kernel))).toEqual(new Set(Object.keys(reference.kernels)));
});

describe.each(supportedLevels())("native kernels on %s", (level) => {
  let backends: Backend[];
  let reference: Backend;
  beforeAll(async () => {
    reference = await createBackend("reference");
    backends = [];
    for (const threads of [1, 2, 3]) backends.push(await nativeBackend(level, threads));
  });
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });

  it.each(cases.map((one) => [`${one.kernel}: ${one.name}`, one] as const))(
    "are the reference's, the same on any number of threads: %s",
    async (_name, one) => {
      const expected = await expectedOf(reference, one);
      const first = await results(backends[0], one, 11);
      first.forEach((actual, i) => {
        const difference = relativeDifference(actual, expected[i]);
        expect(difference, `output ${i}`).toBeLessThanOrEqual(one.tolerance);
      });
      for (const backend of backends) {
        const [again, twice] = [await results(backend, one, 11), await results(backend, one, 11)];
        expect(sameBits(again, twice)).toBe(true);
        if (summedByThread.includes(one.kernel)) {
          again.forEach((actual, i) => {
            expect(relativeDifference(actual, expected[i])).toBeLessThanOrEqual(one.tolerance);
          });
        } else {
          expect(sameBits(again, first)).toBe(true);
        }
      }
    },
  );

  it("leave everything as it is where the gradient norm is not finite", async () => {
    for (const norm of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const backend of [reference, backends[1]]) {
        const bench = new Workbench(backend, 5);
        const [parameters, gradients, momentum, secondMoment] = [1, 2, 3, 4].map(() => bench.normal([9, 7]));
        const gradientNorm = bench.values(Float32Array.of(norm));
        const kept = [parameters, momentum, secondMoment];
        const before = await Promise.all(kept.map((tensor) => backend.read(tensor)));
        const common = { learningRate: 0.1, weightDecay: 0.1, maximumNorm: 1 };
        backend.kernels.muon(
          { parameters, gradients, momentum, gradientNorm },
          { ...common, momentum: 0.95, scale: 1 },
        );
        backend.kernels.adamW(
          { parameters, gradients, firstMoment: momentum, secondMoment, gradientNorm },
          { ...common, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, step: 1 },
        );
        expect(await Promise.all(kept.map((tensor) => backend.read(tensor)))).toEqual(before);
      }
    }
  });

  it("refuse ids, targets and positions outside their range, naming the token", () => {
    const { backend, kernels } = { backend: backends[1], kernels: backends[1].kernels };
    const bench = new Workbench(backend, 5);
    const table = bench.normal([5, 8]);
    const ids = bench.values(Int32Array.of(0, 4, 5));
    const rows = bench.normal([3, 8]);
    expect(() => kernels.embedding(rows, table, ids)).toThrow(/token 2 .*vocabulary of 5/);
    expect(() => kernels.embeddingBackward(table, rows, ids)).toThrow(/token 2 .*vocabulary of 5/);
    expect(() => kernels.headCrossEntropy({ losses: bench.empty([3]), x: rows, weight: table, targets: ids })).toThrow(
      /token 2 .*vocabulary of 5/,
    );
    expect(() => kernels.rope(rows, rows, table, ids, 1, 8, false)).toThrow(/token 2 .*table of 5/);
    expect(() => kernels.matmul(rows, rows, rows, {})).toThrow(/inner lengths 8 and 3/);
  });
});

it("losses without gradients are the same however often and on however many threads they are computed", async () => {
  // Blocks of tokens follow each other while threads still compute losses of the one before: 1,500 tokens are not whole blocks.
  const [tokens, width, vocabulary] = [1500, 16, 131];
  let first: Float32Array | undefined;
  for (const threads of [1, 2, 3, 4]) {
    const backend = await createBackend("cpu", { threads });
    const bench = new Workbench(backend, 3);
    const [x, weight, losses] = [
      bench.normal([tokens, width]),
      bench.normal([vocabulary, width]),
      bench.empty([tokens]),
    ];
    const targets = bench.values(Int32Array.from(bench.below(vocabulary, tokens)));
    for (let repetition = 0; repetition < 100; repetition++) {
      backend.kernels.headCrossEntropy({ losses, x, weight, targets });
      const found = await backend.read(losses);
      first ??= found;
      expect(sameBits([found], [first]), `${threads} threads, repetition ${repetition}`).toBe(true);
    }
    backend.dispose();
  }
});

it("dropout keeps its share, drops elsewhere under another key, and leaves the mean", async () => {
  const bench = new Workbench(await createBackend("reference"), 5);
  const masks = [1, 2].map((key) => {
    const out = bench.values(new Float32Array(100_000).fill(1));
    bench.backend.kernels.dropout(out, out, 0.3, key);
    return out;
  });
  const [a, b] = await Promise.all(masks.map((mask) => bench.backend.read(mask)));
  const kept = (mask: Float32Array) => mask.filter((one) => one !== 0).length / mask.length;
  expect(kept(a)).toBeCloseTo(0.7, 2);
  expect(a.reduce((x, y) => x + y) / a.length).toBeCloseTo(1, 2);
  // Independent masks agree with probability 0.7² + 0.3².
  expect(a.filter((one, i) => (one === 0) === (b[i] === 0)).length / a.length).toBeCloseTo(0.58, 2);
});

const emulatedAmx = "amx, its tile instructions emulated";
// Everything that has AMX has AVX512-BF16 too.
const bfloat16Levels = supportedLevels().filter((level) => ["amx", "avx512bf16"].includes(level));
if (bfloat16Levels.length > 0 && !bfloat16Levels.includes("amx")) bfloat16Levels.push(emulatedAmx);

it.runIf(bfloat16Levels.includes("amx"))(
  "AMX itself multiplies (skipped where the processor or the kernel lacks it)",
  () => expect(supportedLevels()[0]).toBe("amx"),
);

describe.each(bfloat16Levels)("bf16 products on %s", (level) => {
  // How far rounding may carry: where a rounded number is computed from another, one digit of bf16 may fall the other way
  // (2⁻⁸), and the reference rounds no operand of attention.
  const tolerances: Partial<Record<keyof Kernels, number>> = {
    ...{
      matmul: 2e-6,
      headCrossEntropy: 5e-3,
      muon: 5e-2,
      contrastiveLoss: 2e-2,
      attention: 2e-2,
      attentionBackward: 2e-2,
    },
  };
  // A handful of rows is multiplied in f32: memory bounds it, and more digits do no harm.
  // With one key all gradients of the scores are zero, and a share of zero says nothing.
  const several = cases.filter(({ kernel, name }) =>
    kernel.startsWith("attention") ? !name.startsWith("1 × 1/1,") : kernel in tolerances && !/^[1-4] × /.test(name),
  );
  it.each(several.map((one) => [`${one.kernel}: ${one.name}`, one] as const))(
    "are the reference's with operands rounded to bf16: %s",
    async (_name, one) => {
      const reference = await createBackend("reference", { precision: "bf16" });
      const backends = [await nativeBackend(level, 1, "bf16"), await nativeBackend(level, 3, "bf16")];
      const expected = await results(reference, one, 11);
      const [actual, threaded] = [await results(backends[0], one, 11), await results(backends[1], one, 11)];
      actual.forEach((output, i) => {
        const difference = relativeDifference(output, expected[i]);
        expect(difference, `output ${i}`).toBeLessThanOrEqual(tolerances[one.kernel] ?? 0);
      });
      expect(sameBits(threaded, actual)).toBe(true);
      for (const backend of backends) backend.dispose();
    },
  );

  // Kernels whose tensors may be bf16: a result may be rounded to the other side, up to 2⁻⁷ of it.
  const stored: readonly (keyof Kernels)[] = [
    ...(["fill", "copy", "add", "rmsNorm", "rmsNormBackward", "rope"] as const),
    ...(["swiglu", "swigluBackward", "geglu", "gegluBackward"] as const),
    ...([
      "layerNorm",
      "layerNormBackward",
      "headNorm",
      "headNormBackward",
      "activation",
      "activationBackward",
    ] as const),
    ...(["dropout", "addRowsBackward", "matmul", "attention", "attentionBackward", "headCrossEntropy"] as const),
  ];
  const inBfloat16 = cases.filter(
    (one) => stored.includes(one.kernel) && (several.includes(one) || !(one.kernel in tolerances)),
  );
  it.each(inBfloat16.map((one) => [`${one.kernel}: ${one.name}`, one] as const))(
    "are the reference's over tensors in bf16: %s",
    async (_name, one) => {
      const reference = await createBackend("reference", { precision: "bf16" });
      const backends = [await nativeBackend(level, 1, "bf16"), await nativeBackend(level, 3, "bf16")];
      const expected = await results(reference, one, 11, "bf16");
      const [actual, threaded] = await Promise.all(backends.map((backend) => results(backend, one, 11, "bf16")));
      actual.forEach((output, i) => {
        const difference = relativeDifference(output, expected[i]);
        expect(difference, `output ${i}`).toBeLessThanOrEqual(Math.max(tolerances[one.kernel] ?? 0, 2 ** -7));
      });
      if (!summedByThread.includes(one.kernel)) expect(sameBits(threaded, actual)).toBe(true);
      for (const backend of backends) backend.dispose();
    },
  );
});
