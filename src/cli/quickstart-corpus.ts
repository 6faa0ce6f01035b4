/** The text of a quickstart: the user's folder, or the packages that npm has installed. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CorpusSource } from "../corpus/index.ts";
import { packageRoot, UsageError } from "../foundation/index.ts";

/** What a quickstart reads. Throws UsageError where the user's folder is none. */
export function corpusSource(own: string | undefined): CorpusSource {
  if (own === undefined) return { reader: "npm", path: installedPackages() };
  const path = resolve(own);
  if (!existsSync(path)) throw new UsageError(`--corpus ${own}: there is no such folder`);
  if (!statSync(path).isDirectory()) throw new UsageError(`--corpus ${own} is a file, expected a folder of text`);
  return { reader: "folder", path };
}

/** The node_modules that npm made for Tilth: its own in a clone, the project's where Tilth is a dependency. */
function installedPackages(): string {
  const own = join(packageRoot(), "node_modules");
  return existsSync(join(own, "zod")) ? own : resolve(packageRoot(), "..");
}
