/** Where the package's own files are, whether it runs bundled (dist/) or from its sources under the test runner. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TilthError } from "./errors.ts";

/** The folder of Tilth's package.json: `native/` and `dist/` are below it. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name === "tilth") {
      return folder;
    }
    if (dirname(folder) === folder) throw new TilthError("Tilth's own package.json was not found above its code");
  }
}

/** Tilth's version, from its package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string }).version;
}

/** The bundled file that a worker thread starts from: `dist/<name>.js`, an entry point of scripts/bundle.mjs. */
export function workerFile(name: string): string {
  const file = join(packageRoot(), "dist", `${name}.js`);
  if (!existsSync(file)) {
    throw new TilthError(`the worker ${file} is missing`, { remedy: "Run: npm run setup" });
  }
  return file;
}
