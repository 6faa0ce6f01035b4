/** Builds native libraries with the system's compiler, and caches each under a hash of everything that decides its content. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { basename, join } from "node:path";
import { type Compiler, compile, findCompiler } from "./compiler.ts";
import { TilthError } from "./errors.ts";
import { describeWriteError, hashOf, temporaryNameFor } from "./files.ts";
import { packageRoot } from "./workers.ts";

/** A library ready to be loaded. */
export interface NativeLibrary {
  readonly path: string;
  /** False where it was in the cache. */
  readonly built: boolean;
}

const linkFlags = ["-shared", "-pthread", "-ldl"];

/** What a library is made of. */
export interface NativeLibrarySource {
  /** Folder below the package with the .cpp and .h files; folders in it are libraries of their own. */
  readonly folder: string;
  /** The file's name, without extension. */
  readonly name: string;
  readonly compilerFlags: readonly string[];
  /** The system's C++ compiler if left out. */
  readonly compiler?: Compiler;
}

/**
 * The shared library of these sources, built if the cache does not have it. Safe to call from several processes at once:
 * the library appears under its final name only when it is whole.
 * @throws CompilerMissingError without a compiler, TilthError where compiling or writing fails
 */
export async function buildNativeLibrary(library: NativeLibrarySource): Promise<NativeLibrary> {
  const sources = sourceFiles(library.folder);
  const compiler = library.compiler ?? (await findCompiler());
  const flags = library.compilerFlags;
  const contents = sources.map(({ name, content }) => hashOf(name, content));
  const hash = hashOf(...contents, compiler.command, compiler.version, ...flags, ...linkFlags).slice(0, 20);
  const name = `${library.name}.so`;

  const folder = join(cacheFolder("native"), hash);
  const path = join(folder, name);
  if (existsSync(path)) return { path, built: false };

  const work = temporaryNameFor(path);
  try {
    mkdirSync(work, { recursive: true });
    const units = sources.filter((source) => source.name.endsWith(".cpp"));
    await inParallel(units, availableParallelism(), (unit) =>
      compile(
        compiler,
        [...flags, "-c", unit.path, "-o", join(work, `${unit.name}.o`)],
        `${library.folder}/${unit.name}`,
      ),
    );
    const objects = units.map((unit) => join(work, `${unit.name}.o`));
    await compile(compiler, [...objects, ...linkFlags, "-o", join(work, name)], `linking ${name}`);
    renameSync(join(work, name), path);
  } catch (error) {
    throw describeWriteError(error, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { path, built: true };
}

interface SourceFile {
  readonly name: string;
  readonly path: string;
  readonly content: Buffer;
}

/** The C++ sources and headers, in the order of their names. */
function sourceFiles(below: string): SourceFile[] {
  const folder = join(packageRoot(), below);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(cpp|h)$/.test(name)) : [];
  if (!names.some((name) => name.endsWith(".cpp"))) {
    throw new TilthError(`the native sources are missing: ${folder} has no .cpp file`, {
      remedy: `Install the package again; its ${below}/ folder belongs to it.`,
    });
  }
  return names.sort().map((name) => {
    const path = join(folder, name);
    return { name: basename(path), path, content: readFileSync(path) };
  });
}

/**
 * Where what can be made again is kept: `$TILTH_CACHE/<kind>`, else `${XDG_CACHE_HOME:-~/.cache}/tilth/<kind>`, else, where
 * that cannot be written, `build/<kind>` in the package. `native`: compiled libraries; `evaluation`: answers of checkpoints.
 */
export function cacheFolder(kind: "native" | "evaluation"): string {
  const { TILTH_CACHE, XDG_CACHE_HOME } = process.env;
  const folder = join(TILTH_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "tilth"), kind);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return join(packageRoot(), "build", kind);
  }
}

/** Runs `work` on every item, at most `width` at a time; the first failure is thrown after those under way have ended. */
async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length && failures.length === 0) {
      try {
        await work(items[next++]);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(width, items.length)) }, lane));
  if (failures.length > 0) throw failures[0];
}
