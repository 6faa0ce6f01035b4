import type { Kernels, Precision } from "../../backend.ts";
import { rowsOf, widthOf } from "../../tensor.ts";
import { floats } from "./memory.ts";
import { roundingOf } from "./rounding.ts";

/** Quintic of Jordan et al. 2024: steep at 0, so that five iterations suffice. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

export const muonsIn = (precision: Precision): Pick<Kernels, "muon"> => ({
  muon(tensors, { learningRate, momentum: share, weightDecay, scale, maximumNorm }) {
    const norm = floats(tensors.gradientNorm, "muon: gradientNorm")[0];
    if (!Number.isFinite(norm)) return;
    const clip = norm > maximumNorm ? maximumNorm / norm : 1;
    const [rows, width] = [rowsOf(tensors.parameters), widthOf(tensors.parameters)];
    const parameters = floats(tensors.parameters, "muon: parameters");
    const gradients = floats(tensors.gradients, "muon: gradients");
    const momentum = floats(tensors.momentum, "muon: momentum");
    const update = new Float64Array(parameters.length);
    for (let i = 0; i < update.length; i++) {
      const gradient = gradients[i] * clip;
      momentum[i] = share * momentum[i] + (1 - share) * gradient;
      update[i] = share * momentum[i] + (1 - share) * gradient;
    }
    const orthogonal = orthogonalised(update, rows, width, roundingOf(precision));
    for (let i = 0; i < update.length; i++) {
      parameters[i] = parameters[i] * (1 - learningRate * weightDecay) - learningRate * scale * orthogonal[i];
    }
  },
});

/** Five Newton–Schulz iterations X ← aX + bXXᵀX + c(XXᵀ)²X from X / ‖X‖: all singular values near 1. */
function orthogonalised(
  matrix: Float64Array<ArrayBuffer>,
  rows: number,
  width: number,
  rounded: (value: number) => number,
): Float64Array {
  const size = Math.sqrt(matrix.reduce((sum, value) => sum + value * value, 0)) + 1e-7;
  let x = matrix.map((value) => value / size);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const factor = x.map(rounded);
    const gram = product(factor, transposed(factor, rows, width), rows, width, rows);
    const gramFactor = gram.map(rounded);
    const squared = product(gramFactor, gramFactor, rows, rows, rows);
    const polynomial = gram.map((value, i) => b * value + c * squared[i] + (i % (rows + 1) === 0 ? a : 0));
    x = product(polynomial.map(rounded), factor, rows, rows, width);
  }
  return x;
}

function product(left: Float64Array, right: Float64Array, m: number, k: number, n: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = left[i * k + p];
      for (let j = 0; j < n; j++) out[i * n + j] += factor * right[p * n + j];
    }
  }
  return out;
}

function transposed(matrix: Float64Array, rows: number, width: number): Float64Array {
  const out = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) out[j * rows + i] = matrix[i * width + j];
  return out;
}
