/** The backends: one folder each, one line here. */
import { noSuch, UsageError } from "../../foundation/index.ts";
import type { Backend, Precision } from "../backend.ts";

/** How a backend is made. */
export interface BackendOptions {
  readonly threads?: number;
  /** `auto` is bf16 where the processor multiplies in it, else f32, which is also the default. */
  readonly precision?: Precision | "auto";
  /** Instruction-set level of the cpu backend; `TILTH_ISA`, else the best one, if left out. */
  readonly level?: string;
  /** Path of native kernels built elsewhere, for the cpu backend to take as they are. */
  readonly library?: string;
}

type BackendFactory = (options: BackendOptions) => Promise<Backend>;

const factories: Readonly<Record<string, BackendFactory>> = {
  reference: async (options) => (await import("./reference/index.ts")).createReferenceBackend(options),
  cpu: async (options) => (await import("./cpu/index.ts")).createCpuBackend(options),
};

/** The names that `--backend` takes. */
export const backendNames: readonly string[] = Object.keys(factories);

/** Makes the backend of that name. Throws UsageError for an unknown name, TilthError where it cannot run here. */
export async function createBackend(name: string, options: BackendOptions = {}): Promise<Backend> {
  const factory = factories[name];
  if (factory === undefined) {
    throw new UsageError(noSuch("backend", name, backendNames), {
      remedy: `Backends: ${backendNames.join(", ")}`,
    });
  }
  return factory(options);
}
