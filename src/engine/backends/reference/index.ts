/** The reference backend: plain loops in TypeScript. It is the specification, the oracle and the fallback. */
import { TilthError } from "../../../foundation/index.ts";
import type { Backend, Kernels, Precision } from "../../backend.ts";
import { decodeBfloat16 } from "../../bfloat16.ts";
import { elementCount, tensorOver } from "../../tensor.ts";
import { activations } from "./activation.ts";
import { attentions } from "./attention.ts";
import { throughSingle } from "./bfloat16.ts";
import { contrastiveIn } from "./contrastive.ts";
import { crossEntropyIn } from "./cross-entropy.ts";
import { dropouts } from "./dropout.ts";
import { elementwise } from "./elementwise.ts";
import { embeddings } from "./embedding.ts";
import { gated } from "./gated.ts";
import { headNorms } from "./head-norm.ts";
import { unitRows } from "./l2-normalize.ts";
import { layerNorms } from "./layer-norm.ts";
import { productsIn } from "./matmul.ts";
import { floats, HostStorage, halves, integers } from "./memory.ts";
import { muonsIn } from "./muon.ts";
import { normalization } from "./normalization.ts";
import { optimizers } from "./optimizer.ts";
import { patching } from "./patches.ts";
import { pooling } from "./pooling.ts";
import { rotary } from "./rope.ts";

const kernelsIn = (precision: Precision): Kernels => ({
  ...elementwise,
  ...productsIn(precision),
  ...embeddings,
  ...normalization,
  ...layerNorms,
  ...headNorms,
  ...activations,
  ...dropouts,
  ...pooling,
  ...rotary,
  ...attentions,
  ...gated,
  ...crossEntropyIn(precision),
  ...patching,
  ...unitRows,
  ...contrastiveIn(precision),
  ...optimizers,
  ...muonsIn(precision),
});

/** Makes the reference backend. It uses one thread and the collector's memory; `auto` precision is f32 here. */
export function createReferenceBackend(options: { precision?: Precision | "auto" } = {}): Backend {
  const precision = options.precision === "bf16" ? "bf16" : "f32";
  const plainKernels = throughSingle(kernelsIn(precision));
  let bytes = 0;
  let peakBytes = 0;
  let kernelMilliseconds = 0;
  const timed = Object.fromEntries(
    Object.entries(plainKernels).map(([name, kernel]) => [
      name,
      (...parameters: unknown[]) => {
        const started = performance.now();
        (kernel as (...all: unknown[]) => void)(...parameters);
        kernelMilliseconds += performance.now() - started;
      },
    ]),
  ) as unknown as Kernels;
  const backend: Backend = {
    name: "reference",
    description: `reference (TypeScript, ${precision}, 1 thread)`,
    threads: 1,
    precision,
    storesBfloat16: false,
    kernels: timed,
    allocate(wanted) {
      try {
        const storage = new HostStorage(wanted);
        bytes += wanted;
        peakBytes = Math.max(peakBytes, bytes);
        return storage;
      } catch (cause) {
        throw new TilthError(`${wanted} bytes of memory could not be allocated`, { cause });
      }
    },
    release(storage) {
      bytes -= storage.bytes;
    },
    write(tensor, data) {
      if (data.length !== elementCount(tensor)) {
        throw new RangeError(`${data.length} values do not fill a tensor of shape [${tensor.shape}]`);
      }
      if (data instanceof Int32Array) integers(tensor, "write").set(data);
      else floats(tensor, "write").set(data);
    },
    read: async (tensor) =>
      tensor.type === "bf16"
        ? decodeBfloat16(halves(tensor).subarray(0, elementCount(tensor)))
        : floats(tensor, "read").slice(),
    readIntegers: async (tensor) => integers(tensor, "readIntegers").slice(),
    kernelSeconds: () => kernelMilliseconds / 1000,
    measurePeakFlops: () => measurePeak(backend),
    memory: () => ({ bytes, peakBytes }),
    dispose() {},
  };
  return backend;
}

/** The best rate of this backend's own matrix product over some 0.3 s. */
function measurePeak(backend: Backend): number {
  const size = 192;
  const storages = [0, 1, 2].map(() => backend.allocate(size * size * 4));
  const [out, a, b] = storages.map((storage) => tensorOver(storage, [size, size]));
  let best = 0;
  for (const began = performance.now(); performance.now() - began < 300; ) {
    const started = performance.now();
    backend.kernels.matmul(out, a, b, { transposeB: true });
    best = Math.max(best, (2 * size ** 3) / ((performance.now() - started) / 1000));
  }
  for (const storage of storages) backend.release(storage);
  return best;
}
