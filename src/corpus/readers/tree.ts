/** Source trees: each repository is a source with its own licence; a file that states its licence has that one. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import type { LicenceFinding } from "../document.ts";
import { findLicence, statedLicence } from "../licences/index.ts";
import { defineReader, type ReaderContext, type WorkItem } from "./define.ts";
import { documentsOf } from "./documents.ts";
import { commonShape, declaredLicence } from "./source.ts";
import { type FoundFile, licenceFilesIn, requireFolder, sortedEntries, walkFiles } from "./walk.ts";

const schema = settingsObject("tree source", {
  reader: z.literal("tree"),
  path: z.string().min(1).describe("a repository, or a folder of them; relative to the configuration's folder"),
  ...commonShape,
});
type TreeSource = z.output<typeof schema>;

/** A licence is stated within so many bytes of a file's start (SPDX headers) or end (the sections of a PEP). */
const statementBytes = 4096;
const manifests: readonly { readonly name: string; readonly licence: RegExp }[] = [
  { name: "package.json", licence: /"license"\s*:\s*"([^"\n]+)"/ },
  { name: "Cargo.toml", licence: /^license\s*=\s*"([^"\n]+)"/m },
  { name: "pyproject.toml", licence: /^license\s*=\s*(?:\{\s*text\s*=\s*)?["']([^"'\n]+)["']/m },
  { name: "setup.cfg", licence: /^license\s*=\s*(\S[^\n]*)/m },
  { name: "composer.json", licence: /"license"\s*:\s*"([^"\n]+)"/ },
  { name: "DESCRIPTION", licence: /^License:\s*(\S[^\n]*)/m },
];

/** Reads repositories: text, code and pages, each under the nearest licence. */
export const treeReader = defineReader({
  schema,
  title: "source trees",
  describe: "repositories: sources and documentation, licence by repository, vendored folder and file header",
  *list(source, context) {
    const root = resolve(context.baseFolder, source.path);
    requireFolder(root, "the source tree");
    for (const repository of repositoriesIn(root, context)) {
      const name = `tree:${source.name ?? basename(root)}${repository === root ? "" : `/${basename(repository)}`}`;
      yield* listRepository(repository, name, source, context);
    }
  },
});

/** The folder itself where it is a repository or has no folders; else each folder in it. */
function repositoriesIn(root: string, context: ReaderContext): string[] {
  if (isRepository(root, context)) return [root];
  const folders = sortedEntries(root, context.skipped).filter((entry) => entry.isDirectory() && entry.name[0] !== ".");
  return folders.length === 0 ? [root] : folders.map(({ name }) => join(root, name));
}

function isRepository(folder: string, context: ReaderContext): boolean {
  return (
    existsSync(join(folder, ".git")) ||
    manifests.some(({ name }) => existsSync(join(folder, name))) ||
    licenceFilesIn(folder, context.skipped).length > 0
  );
}

function* listRepository(root: string, name: string, source: TreeSource, context: ReaderContext): Generator<WorkItem> {
  const fixed = source.licence === undefined ? undefined : declaredLicence(source.licence);
  const known = new Map<string, LicenceFinding>();
  const folderLicence = (folder: string): LicenceFinding => {
    let licence = known.get(folder);
    if (licence === undefined) {
      const own = folder === root || hasLicence(folder, context) ? licenceOf(folder, context) : undefined;
      licence = own ?? folderLicence(join(folder, ".."));
      known.set(folder, licence);
    }
    return licence;
  };
  const enter = (entry: string) => !entry.startsWith(".") && entry !== "node_modules";
  for (const file of walkFiles(root, enter, context.skipped)) {
    const licence = fixed ?? statementIn(file) ?? folderLicence(join(file.file, ".."));
    yield* documentsOf([file], name, licence, { ...context, readsPages: true });
  }
}

/** Vendored code keeps its licence beside it. */
function hasLicence(folder: string, context: ReaderContext): boolean {
  return licenceFilesIn(folder, context.skipped).length > 0;
}

function licenceOf(folder: string, context: ReaderContext): LicenceFinding {
  const reuse = join(folder, "LICENSES");
  const files = [
    ...licenceFilesIn(folder, context.skipped),
    // REUSE keeps one file a licence there, named by its identifier.
    ...(existsSync(reuse) && statSync(reuse).isDirectory()
      ? readdirSync(reuse).map((name) => ({ name: `LICENSES/${name}`, text: readHead(join(reuse, name), 65536) }))
      : []),
  ];
  return findLicence(manifestLicence(folder), files);
}

function manifestLicence(folder: string): { expression: string; where: string } | undefined {
  for (const { name, licence } of manifests) {
    const file = join(folder, name);
    if (!existsSync(file)) continue;
    const expression = licence.exec(readHead(file, 65536))?.[1];
    if (expression !== undefined) return { expression, where: name };
  }
  return undefined;
}

/** What the file itself says, near its start or its end. */
function statementIn({ file, size }: FoundFile): LicenceFinding | undefined {
  try {
    if (size <= 2 * statementBytes) return statedLicence(readFileSync(file, "latin1"));
    const descriptor = openSync(file, "r");
    try {
      const ends = Buffer.alloc(2 * statementBytes);
      const head = readSync(descriptor, ends, 0, statementBytes, 0);
      const tail = readSync(descriptor, ends, head, statementBytes, size - statementBytes);
      return statedLicence(ends.toString("latin1", 0, head + tail));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // A file that cannot be read is recorded when its text is asked for.
    return undefined;
  }
}

function readHead(file: string, bytes: number): string {
  const head = Buffer.alloc(bytes);
  const descriptor = openSync(file, "r");
  try {
    return head.toString("utf8", 0, readSync(descriptor, head, 0, bytes, 0));
  } finally {
    closeSync(descriptor);
  }
}
