/** The backends: one folder each, one line here. */
import { nearest, UsageError } from "../../foundation/index.ts";
import type { Backend } from "../backend.ts";

/** How a backend is made. */
export interface BackendOptions {
  readonly threads?: number;
}

type BackendFactory = (options: BackendOptions) => Promise<Backend>;

const factories: Readonly<Record<string, BackendFactory>> = {
  reference: async () => (await import("./reference/index.ts")).createReferenceBackend(),
  cpu: async (options) => (await import("./cpu/index.ts")).createCpuBackend(options),
};

/** The names that `--backend` takes. */
export const backendNames: readonly string[] = Object.keys(factories);

/** Makes the backend of that name. Throws UsageError for an unknown name, TilthError where it cannot run here. */
export async function createBackend(name: string, options: BackendOptions = {}): Promise<Backend> {
  const factory = factories[name];
  if (factory === undefined) {
    const guess = nearest(name, backendNames);
    throw new UsageError(`there is no backend "${name}"${guess ? `; did you mean "${guess}"?` : ""}`, {
      remedy: `Backends: ${backendNames.join(", ")}`,
    });
  }
  return factory(options);
}
