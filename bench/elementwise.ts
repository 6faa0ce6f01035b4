/**
 * What memory bounds: norms, rope, SwiGLU, embedding, optimizers. Bytes a second of each against the rate of copying, measured
 * in the same turns: a kernel that passes over memory once comes near to it.
 */
import { type Backend, createBackend, type Tensor, tensorOver } from "../src/engine/index.ts";
import { Random, UsageError } from "../src/foundation/index.ts";
import { type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";

/** One call, and the bytes that it must read and write at least. */
interface Pass {
  readonly name: string;
  readonly bytes: number;
  run(): void;
}

/** Tokens and width of a training step; everything larger than the last cache. */
const presets: Readonly<Record<string, { tokens: number; width: number; headSize: number }>> = {
  "124m": { tokens: 16_384, width: 768, headSize: 64 },
  quickstart: { tokens: 4096, width: 192, headSize: 32 },
};

function passesOf(backend: Backend, tokens: number, width: number, headSize: number): Pass[] {
  const random = new Random(tokens);
  const filled = (shape: readonly number[], value = 0.5): Tensor => {
    const tensor = tensorOver(backend.allocate(shape.reduce((a, b) => a * b, 1) * 4), shape);
    backend.kernels.fill(tensor, value);
    return tensor;
  };
  const integers = (limit: number): Tensor => {
    const tensor = tensorOver(backend.allocate(tokens * 4), [tokens], "i32");
    backend.write(
      tensor,
      Int32Array.from({ length: tokens }, () => random.below(limit)),
    );
    return tensor;
  };
  const { kernels } = backend;
  const [a, b, c, d] = [0, 1, 2, 3].map(() => filled([tokens, width]));
  const [wide, wideGradient] = [0, 1].map(() => filled([tokens, 2 * width]));
  const [weight, weightGradient, inverseRms, one] = [width, width, tokens, 1].map((count) => filled([count]));
  const vocabulary = 4096;
  const [ids, positions, table] = [integers(vocabulary), integers(1024), filled([vocabulary, width])];
  const angles = filled([1024, headSize]);
  const matrix = tokens * width * 4;
  const [parameters, gradients, firstMoment, secondMoment] = [a, b, c, d];
  const adamW = {
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0.1,
    step: 9,
    maximumNorm: 1,
  };
  return [
    { name: "copy", bytes: 2 * matrix, run: () => kernels.copy(a, b) },
    { name: "add", bytes: 3 * matrix, run: () => kernels.add(a, b, c) },
    { name: "norm", bytes: matrix, run: () => kernels.norm(one, a) },
    {
      name: "rmsNorm",
      bytes: 4 * matrix,
      run: () => kernels.rmsNorm({ out: a, inverseRms, x: b, weight, delta: c, sum: d, epsilon: 1e-5 }),
    },
    {
      name: "rmsNormBackward",
      bytes: 4 * matrix,
      run: () =>
        kernels.rmsNormBackward({
          ...{ xGradient: a, weightGradient, gradient: b, x: c, weight, inverseRms, residualGradient: d },
        }),
    },
    {
      name: "rope",
      bytes: 2 * matrix,
      run: () => kernels.rope(a, b, angles, positions, width / headSize, headSize, false),
    },
    { name: "swiglu", bytes: 3 * matrix, run: () => kernels.swiglu(a, wide) },
    { name: "swigluBackward", bytes: 5 * matrix, run: () => kernels.swigluBackward(wideGradient, a, wide) },
    { name: "embedding", bytes: 2 * matrix, run: () => kernels.embedding(a, table, ids) },
    { name: "embeddingBackward", bytes: 3 * matrix, run: () => kernels.embeddingBackward(table, a, ids) },
    {
      name: "adamW",
      bytes: 7 * matrix,
      run: () => kernels.adamW({ parameters, gradients, firstMoment, secondMoment, gradientNorm: one }, adamW),
    },
  ];
}

/** Times every kernel that memory bounds; the line's time is that of all of them once. */
export async function elementwise(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const name = options.preset ?? "124m";
  if (!Object.hasOwn(presets, name)) {
    throw new UsageError(`elementwise has no preset "${name}"`, {
      remedy: `Presets: ${Object.keys(presets).join(", ")}`,
    });
  }
  const { tokens, width, headSize } = presets[name];
  const backend = await createBackend("cpu", { precision: "f32" });
  const passes = passesOf(backend, tokens, width, headSize);
  const best = new Map(passes.map((pass) => [pass.name, Number.POSITIVE_INFINITY]));
  for (const pass of passes) pass.run();
  const turn = async () => {
    let total = 0;
    for (const pass of passes) {
      const started = performance.now();
      pass.run();
      const seconds = (performance.now() - started) / 1000;
      best.set(pass.name, Math.min(best.get(pass.name) ?? seconds, seconds));
      total += seconds;
    }
    return total;
  };
  const comparison = await compare(turn, [], options.repetitions, options.warn);
  const rates = passes.map((pass) => ({
    name: pass.name,
    bytesPerSecond: pass.bytes / (best.get(pass.name) ?? Number.NaN),
  }));
  const copy = rates[0].bytesPerSecond;
  const line = lineOf(
    comparison,
    {
      name: "elementwise",
      config: `${name}: ${tokens} × ${width}, ${backend.description}`,
      unit: "seconds for all kernels once",
      peerName: "none",
      shareOfPeak: null,
    },
    { rates: rates.map((rate) => ({ ...rate, shareOfCopy: rate.bytesPerSecond / copy })) },
  );
  backend.dispose();
  return line;
}
