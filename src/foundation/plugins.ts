/** Modules of the user's: configurations, and plugins that register filters, objectives and tasks in every thread. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf, UsageError } from "./errors.ts";
import { hashOf } from "./files.ts";
import { packageRoot } from "./workers.ts";

/** Hashes of the plugins that were loaded, by path. Their content decides results: cache keys hold it. */
const loaded = new Map<string, string>();

/** Files of this thread's plugins, in the order in which they were loaded: worker threads load the same. */
export function pluginPaths(): string[] {
  return [...loaded.keys()];
}

/** What the plugins add to a cache's key; empty where there are none. */
export function pluginsKey(): string[] {
  return [...loaded.values()].map((sha256) => `plugin ${sha256}`);
}

/**
 * Imports plugins: TypeScript or JavaScript files that call `registerFilter`, `registerObjective` or `registerTask`. One that
 * was loaded before is not loaded again. Throws UsageError for a file that is missing or cannot be imported.
 * @param paths relative ones start at `base`
 */
export async function loadPlugins(paths: readonly string[], base = process.cwd()): Promise<void> {
  for (const path of paths.map((one) => resolve(base, one))) {
    if (loaded.has(path)) continue;
    if (!existsSync(path)) throw new UsageError(`there is no plugin ${path}`);
    const sha256 = hashOf(readFileSync(path));
    await importUserModule(path);
    loaded.set(path, sha256);
  }
}

/**
 * Imports a user's module; `import … from "tilth"` in it means this program, and "zod" the one that this program has, wherever
 * the module lies. Throws UsageError where that fails.
 * @returns what it exports by default, else all of its exports
 */
export async function importUserModule(file: string): Promise<unknown> {
  try {
    const { createJiti } = await import("jiti");
    const library = pathToFileURL(join(packageRoot(), "dist", "index.js")).href;
    const jiti = createJiti(file, {
      fsCache: false,
      virtualModules: { tilth: await import(library), zod: await import("zod") },
    });
    return await jiti.import(file, { default: true });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
