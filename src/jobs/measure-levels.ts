/** What each instruction-set level of this machine reaches: peak of multiply-adds, and rate of a real matrix product. */
import { type Backend, createBackend, type Precision, supportedLevels, tensorOver } from "../engine/index.ts";
import { CompilerMissingError } from "../foundation/index.ts";
import type { Job } from "./job.ts";

/** Rates of one level in FLOP/s. */
export interface LevelRates {
  readonly level: string;
  readonly precision: Precision;
  readonly peakFlops: number;
  /** Of the product of two square matrices of 2,048, the best of several. */
  readonly productFlops: number;
}

export const measureLevelsJob: Job<{ readonly threads?: number }, never, LevelRates[]> = {
  name: "measure-levels",
  async run({ threads }) {
    const rates: LevelRates[] = [];
    const asked = process.env.TILTH_ISA;
    for (const level of asked ? [asked] : supportedLevels()) {
      for (const precision of ["bf16", "f32"] as const) {
        const backend = await openLevel(level, precision, threads);
        if (backend === undefined) continue;
        rates.push({
          level,
          precision,
          peakFlops: backend.measurePeakFlops(),
          productFlops: productRate(backend),
        });
        backend.dispose();
      }
    }
    return rates;
  },
};

/** Undefined where the level does not multiply in that precision, or nothing can be compiled. */
async function openLevel(level: string, precision: Precision, threads?: number): Promise<Backend | undefined> {
  try {
    const backend = await createBackend("cpu", { level, threads, precision: precision === "bf16" ? "auto" : "f32" });
    if (backend.precision === precision) return backend;
    backend.dispose();
    return undefined;
  } catch (error) {
    if (error instanceof CompilerMissingError) return undefined;
    throw error;
  }
}

function productRate(backend: Backend): number {
  const size = 2048;
  const storages = [0, 1, 2].map(() => backend.allocate(size * size * 4));
  const [out, a, b] = storages.map((storage) => tensorOver(storage, [size, size]));
  backend.kernels.fill(a, 0.5);
  backend.kernels.fill(b, 0.25);
  let best = 0;
  for (let round = 0; round < 6; round++) {
    const started = performance.now();
    backend.kernels.matmul(out, a, b, { transposeB: true });
    best = Math.max(best, (2 * size ** 3) / ((performance.now() - started) / 1000));
  }
  for (const storage of storages) backend.release(storage);
  return best;
}
