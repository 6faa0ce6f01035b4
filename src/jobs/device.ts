/** Chooses the backend for a job. */
import { type Backend, createBackend } from "../engine/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { DeviceOptions } from "./job.ts";

/**
 * Makes the backend asked for. `auto` takes `cpu` and falls back to `reference` where there is no compiler or no
 * supported instruction set, telling `warn` why in one line.
 */
export async function openDevice(options: DeviceOptions, warn: (message: string) => void): Promise<Backend> {
  if (options.backend !== "auto") return createBackend(options.backend, options);
  try {
    return await createBackend("cpu", options);
  } catch (error) {
    if (!(error instanceof TilthError) || process.env.TILTH_ISA !== undefined) throw error;
    warn(`${error.message}: the slow reference backend is used.${error.remedy ? ` ${error.remedy}` : ""}`);
    return createBackend("reference", options);
  }
}
