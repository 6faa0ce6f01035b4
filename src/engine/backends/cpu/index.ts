/** The CPU backend: C++ kernels of the best instruction-set level that this machine runs, built on first use. */
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { TilthError } from "../../../foundation/index.ts";
import type { Backend, Precision } from "../../backend.ts";
import { decodeBfloat16 } from "../../bfloat16.ts";
import { elementCount } from "../../tensor.ts";
import { ensureNativeLibrary } from "./build.ts";
import { flat, NativeStorage } from "./checks.ts";
import { chosenLevel } from "./isa.ts";
import { nativeKernels } from "./kernels.ts";
import { loadLibrary } from "./library.ts";

/**
 * Makes the CPU backend. `threads` defaults to `TILTH_THREADS`, then to the processors this process may use; `level` to
 * `TILTH_ISA`, then to the best. `library` is the path of kernels built elsewhere, which are taken as they are.
 * Throws CompilerMissingError without a compiler, TilthError where no instruction-set level fits.
 */
export async function createCpuBackend(
  options: { threads?: number; precision?: Precision | "auto"; level?: string; library?: string } = {},
): Promise<Backend> {
  const level = options.library ? basename(options.library) : chosenLevel(options.level ?? process.env.TILTH_ISA);
  const threads = options.threads ?? threadsFromEnvironment() ?? availableParallelism();
  const library = loadLibrary(options.library ?? (await ensureNativeLibrary(level)).path);
  const precision = precisionOf(options.precision ?? "f32", library.has_bf16() === 1, level);
  const storages = new Set<NativeStorage>();
  let bytes = 0;
  let peakBytes = 0;
  return {
    name: "cpu",
    description: `cpu (${level}, ${precision}, ${threads} thread${threads === 1 ? "" : "s"})`,
    threads,
    precision,
    storesBfloat16: true,
    kernels: nativeKernels(library, threads, precision),
    allocate(wanted) {
      const address = library.allocate(threads, wanted);
      if (address === 0) {
        throw new TilthError(`${wanted} bytes of memory could not be allocated`, {
          remedy: "Lower training.microBatchSequences or training.sequenceLength, or choose a smaller model.",
        });
      }
      const storage = new NativeStorage(Number(address), wanted);
      storages.add(storage);
      bytes += wanted;
      peakBytes = Math.max(peakBytes, bytes);
      return storage;
    },
    release(storage) {
      if (!(storage instanceof NativeStorage) || !storages.delete(storage)) return;
      library.release(storage.address);
      storage.address = 0;
      bytes -= storage.bytes;
    },
    write(tensor, data) {
      const type = data instanceof Int32Array ? "i32" : "f32";
      if (data.length !== elementCount(tensor)) {
        throw new RangeError(`${data.length} values do not fill a tensor of shape [${tensor.shape}]`);
      }
      if (tensor.type === "bf16" && data instanceof Float32Array) {
        library.store_weights(threads, flat(tensor, "write", "bf16"), data, data.length);
        return;
      }
      library.write(flat(tensor, "write", type), data, data.byteLength);
    },
    async read(tensor) {
      if (tensor.type === "bf16") {
        const halves = new Uint16Array(elementCount(tensor));
        library.read(halves, flat(tensor, "read", "bf16"), halves.byteLength);
        return decodeBfloat16(halves);
      }
      const data = new Float32Array(elementCount(tensor));
      library.read(data, flat(tensor, "read"), data.byteLength);
      return data;
    },
    async readIntegers(tensor) {
      const data = new Int32Array(elementCount(tensor));
      library.read(data, flat(tensor, "readIntegers", "i32"), data.byteLength);
      return data;
    },
    hostAddress: (tensor) => flat(tensor, "hostAddress", tensor.type),
    kernelSeconds: () => library.kernel_seconds(),
    measurePeakFlops: () => library.peak_flops(threads, 0.3, Number(precision === "bf16")),
    measureLaunchSeconds: () => library.launch_seconds(threads, 10_000),
    memory: () => ({ bytes, peakBytes }),
    dispose() {
      for (const storage of storages) library.release(storage.address);
      storages.clear();
      bytes = 0;
    },
  };
}

function precisionOf(asked: Precision | "auto", hasBfloat16: boolean, level: string): Precision {
  if (asked === "auto") return hasBfloat16 ? "bf16" : "f32";
  if (asked === "bf16" && !hasBfloat16) {
    throw new TilthError(`the instruction-set level ${level} does not multiply in bf16`, {
      remedy: "Use --precision f32, or auto: bf16 where the processor has AVX512-BF16.",
    });
  }
  return asked;
}

function threadsFromEnvironment(): number | undefined {
  const asked = process.env.TILTH_THREADS;
  if (asked === undefined || asked === "") return undefined;
  const threads = Number(asked);
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new TilthError(`TILTH_THREADS is "${asked}", expected a whole number from 1 to 256`);
  }
  return threads;
}
