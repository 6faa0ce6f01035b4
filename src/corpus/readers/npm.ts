/** Installed npm packages: every package of a node_modules folder is a source of its own, with its own licence. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { findLicence } from "../licences/index.ts";
import { defineReader, type ReaderContext, type WorkItem } from "./define.ts";
import { documentsOf } from "./documents.ts";
import { licenceFilesIn, requireFolder, type Skipped, skip, sortedEntries, walkFiles } from "./walk.ts";

const schema = settingsObject("npm source", {
  reader: z.literal("npm"),
  path: z.string().min(1).describe("a node_modules folder; relative to the configuration's folder"),
});

/** The fields of package.json that matter here; a package with others, or broken ones, is still a package. */
const packageManifest = z.object({
  name: z.string().min(1).optional().catch(undefined),
  version: z.string().min(1).optional().catch(undefined),
  license: z
    .union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)])
    .optional()
    .catch(undefined),
  licenses: z
    .array(z.union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)]))
    .min(1)
    .optional()
    .catch(undefined),
});

/** Reads all packages below a node_modules folder, scoped and nested ones included. */
export const npmReader = defineReader({
  schema,
  title: "installed npm packages",
  describe: "installed npm packages, each a source with the licence of its package.json",
  *list(source, context) {
    const folder = resolve(context.baseFolder, source.path);
    requireFolder(folder, "the node_modules folder");
    // The same version installed twice (npm nests what cannot be shared) is one source.
    yield* listModules(folder, context, new Set());
  },
});

function* listModules(folder: string, context: ReaderContext, known: Set<string>): Generator<WorkItem> {
  for (const entry of sortedEntries(folder, context.skipped)) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isSymbolicLink()) skip(context.skipped, "symbolic link");
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    if (!entry.name.startsWith("@")) {
      yield* listPackage(path, entry.name, context, known);
      continue;
    }
    for (const scoped of sortedEntries(path, context.skipped)) {
      if (scoped.isSymbolicLink()) skip(context.skipped, "symbolic link");
      if (scoped.isDirectory()) {
        yield* listPackage(join(path, scoped.name), `${entry.name}/${scoped.name}`, context, known);
      }
    }
  }
}

function* listPackage(
  folder: string,
  installedAs: string,
  context: ReaderContext,
  known: Set<string>,
): Generator<WorkItem> {
  const manifest = readManifest(folder, context.skipped);
  const name = manifest.name ?? installedAs;
  const source = `npm:${name}${manifest.version === undefined ? "" : `@${manifest.version}`}`;
  const nested: string[] = [];
  const enter = (entry: string, path: string) => {
    if (entry === "node_modules") nested.push(path);
    return entry !== "node_modules" && !entry.startsWith(".");
  };
  if (known.has(source)) {
    skip(context.skipped, "package installed twice");
    for (const _ of walkFiles(folder, enter, new Map()));
  } else {
    known.add(source);
    const expression = manifest.license ?? manifest.licenses?.join(" OR ");
    const declared = expression === undefined ? undefined : { expression, where: 'package.json "license"' };
    const licence = findLicence(declared, licenceFilesIn(folder, context.skipped));
    yield* documentsOf(walkFiles(folder, enter, context.skipped), source, licence, context);
  }
  for (const path of nested) yield* listModules(path, context, known);
}

function readManifest(folder: string, skipped: Skipped): z.infer<typeof packageManifest> {
  try {
    return packageManifest.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
  } catch {
    skip(skipped, "no usable package.json");
    return {};
  }
}
