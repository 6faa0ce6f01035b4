/** Single kernels beside PyTorch's: matrix product, attention with its gradients, head with cross-entropy, optimizer. */
import { type Backend, createBackend, type Tensor, tensorOver } from "../src/engine/index.ts";
import { Random, UsageError } from "../src/foundation/index.ts";
import { askedSettings, type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { startPeer } from "./peer.ts";

/** One kernel at one size. */
interface Work {
  /** What the peer is told. */
  readonly sizes: Readonly<Record<string, number>>;
  /** FLOPs of one call; 0 for what memory bounds. */
  readonly flops: number;
  prepare(backend: Backend): () => void;
}

type Presets = Readonly<Record<string, Work>>;

function normal(backend: Backend, shape: readonly number[], scale = 1): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const tensor = tensorOver(backend.allocate(count * 4), shape);
  const random = new Random(count);
  backend.write(
    tensor,
    Float32Array.from({ length: count }, () => random.normal() * scale),
  );
  return tensor;
}

function gemm(m: number, n: number, k: number): Work {
  return {
    sizes: { m, n, k },
    flops: 2 * m * n * k,
    prepare(backend) {
      const [x, weight, out] = [normal(backend, [m, k]), normal(backend, [n, k]), normal(backend, [m, n])];
      return () => backend.kernels.matmul(out, x, weight, { transposeB: true });
    },
  };
}

function attention(sequences: number, heads: number, length: number, headSize: number): Work {
  return {
    sizes: { sequences, heads, length, headSize },
    flops: 0.5 * 14 * sequences * heads * length * length * headSize,
    prepare(backend) {
      const rows = sequences * length;
      const tensors = Array.from({ length: 8 }, () => normal(backend, [rows, heads * headSize]));
      const [query, key, value, out, gradient, queryGradient, keyGradient, valueGradient] = tensors;
      const logSumExp = normal(backend, [heads, rows]);
      const scale = 1 / Math.sqrt(headSize);
      const shape = {
        ...{ sequences, heads, headSize, scale, queryLength: length, keyLength: length },
        ...{ keyValueHeads: heads, causal: true },
      };
      return () => {
        backend.kernels.attention({ query, key, value, out, logSumExp }, shape);
        backend.kernels.attentionBackward(
          { query, key, value, out, logSumExp, gradient, queryGradient, keyGradient, valueGradient },
          shape,
        );
      };
    },
  };
}

function crossEntropy(tokens: number, width: number, vocabulary: number): Work {
  return {
    sizes: { tokens, width, vocabulary },
    flops: 6 * tokens * width * vocabulary,
    prepare(backend) {
      const [x, xGradient] = [normal(backend, [tokens, width]), normal(backend, [tokens, width])];
      const weight = normal(backend, [vocabulary, width], 0.02);
      const weightGradient = normal(backend, [vocabulary, width]);
      const losses = normal(backend, [tokens]);
      const targets = tensorOver(backend.allocate(tokens * 4), [tokens], "i32");
      backend.write(
        targets,
        Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabulary),
      );
      const gradients = { x: xGradient, weight: weightGradient, scale: 1 / tokens, accumulateWeight: false };
      return () => backend.kernels.headCrossEntropy({ losses, x, weight, targets, gradients });
    },
  };
}

function optimizer(count: number): Work {
  return {
    sizes: { count },
    flops: 0,
    prepare(backend) {
      const [parameters, gradients, firstMoment, secondMoment] = [0, 1, 2, 3].map(() => normal(backend, [count]));
      backend.kernels.fill(secondMoment, 1);
      const gradientNorm = normal(backend, [1]);
      const betas = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
      return () => {
        backend.kernels.norm(gradientNorm, gradients);
        backend.kernels.adamW(
          { parameters, gradients, firstMoment, secondMoment, gradientNorm },
          { ...betas, learningRate: 1e-3, weightDecay: 0.1, step: 10, maximumNorm: 1 },
        );
      };
    },
  };
}

const kernels: Readonly<Record<string, Presets>> = {
  gemm: { "124m": gemm(4096, 3072, 768), quickstart: gemm(4096, 1024, 192), square: gemm(2048, 2048, 2048) },
  attention: { "124m": attention(4, 12, 1024, 64), quickstart: attention(16, 6, 256, 32) },
  "cross-entropy": { "124m": crossEntropy(2048, 768, 50_304), quickstart: crossEntropy(4096, 192, 4096) },
  optimizer: { "124m": optimizer(124_000_000), quickstart: optimizer(3_000_000) },
};

/** The names of the single-kernel benchmarks. */
export const kernelNames: readonly string[] = Object.keys(kernels);

/** Times one kernel at the preset's size. */
export async function kernelBenchmark(name: string, options: BenchmarkOptions): Promise<BenchmarkLine> {
  const presets = kernels[name];
  const preset = options.preset ?? Object.keys(presets)[0];
  if (!Object.hasOwn(presets, preset)) {
    throw new UsageError(`${name} has no preset "${preset}"`, {
      remedy: `Presets: ${Object.keys(presets).join(", ")}`,
    });
  }
  const work = presets[preset];
  const backend = await createBackend("cpu", { precision: options.precision });
  const call = work.prepare(backend);
  call();
  const started = performance.now();
  call();
  // Some 50 ms a turn, so that the clock's grain and waking threads do not matter.
  const times = Math.max(1, Math.round(50 / (performance.now() - started)));
  const turn = async () => {
    const began = performance.now();
    for (let i = 0; i < times; i++) call();
    return (performance.now() - began) / 1000 / times;
  };
  const { precision, threads } = backend;
  const settings = [false, true]
    .filter((compile) => !compile || name === "cross-entropy")
    .map((compile) => ({
      setting: `${compile ? "torch.compile" : "eager"}, ${precision}`,
      start: () => startPeer("torch_kernels.py", { ...work.sizes, kernel: name, precision, threads, compile, times }),
    }));
  const comparison = await compare(turn, askedSettings(settings, options), options.repetitions, options.warn);
  const share = work.flops === 0 ? null : work.flops / comparison.tilth.median / backend.measurePeakFlops();
  const line = lineOf(comparison, {
    name,
    config: `${preset}: ${Object.entries(work.sizes)
      .map(([size, value]) => `${size} ${value}`)
      .join(", ")}, ${backend.description}`,
    unit: "seconds a call",
    peerName: "PyTorch",
    shareOfPeak: share,
  });
  backend.dispose();
  return line;
}
