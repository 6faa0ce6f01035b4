import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureNativeLibrary } from "../../src/engine/backends/cpu/build.ts";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { CompilerMissingError, cacheFolder, findCompiler, packageRoot } from "../../src/foundation/index.ts";

const { PATH, CXX, TILTH_CACHE, XDG_CACHE_HOME } = process.env;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tilth-build-"));
});

afterEach(() => {
  for (const [name, value] of Object.entries({ PATH, CXX, TILTH_CACHE, XDG_CACHE_HOME })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(folder, { recursive: true, force: true });
});

const compilerHere = await findCompiler().then(
  () => true,
  () => false,
);

describe("the native build", () => {
  it("says what to install where there is no compiler", async () => {
    process.env.CXX = "/nonexistent/compiler";
    process.env.PATH = "";
    const error = await ensureNativeLibrary("avx2").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CompilerMissingError);
    expect((error as CompilerMissingError).message).toMatch(/^no C\+\+ compiler/);
    expect((error as CompilerMissingError).remedy).toMatch(/apt install g\+\+|xcode-select --install/);
  });

  it("shows the first lines of what a failing compiler said", async () => {
    const compiler = join(folder, "failing-compiler");
    writeFileSync(
      compiler,
      '#!/bin/sh\n[ "$1" = --version ] && echo fake 1.0 && exit 0\necho broken line 7 >&2\nexit 1\n',
    );
    chmodSync(compiler, 0o755);
    process.env.CXX = compiler;
    process.env.TILTH_CACHE = join(folder, "cache");
    await expect(ensureNativeLibrary("avx2")).rejects.toThrow(/failed on native\/.*\.cpp:\n\s+broken line 7/);
    // Nothing half-built is left behind.
    const left = readdirSync(join(folder, "cache", "native")).flatMap((hash) =>
      readdirSync(join(folder, "cache", "native", hash)),
    );
    expect(left).toEqual([]);
  });

  it("refuses a level that does not exist", async () => {
    await expect(ensureNativeLibrary("sse9")).rejects.toThrow(/"sse9" is no instruction-set level/);
  });

  it("keeps libraries in TILTH_CACHE, then XDG_CACHE_HOME, then the package", () => {
    process.env.XDG_CACHE_HOME = join(folder, "xdg");
    delete process.env.TILTH_CACHE;
    expect(cacheFolder("native")).toBe(join(folder, "xdg", "tilth", "native"));
    process.env.TILTH_CACHE = join(folder, "own");
    expect(cacheFolder("native")).toBe(join(folder, "own", "native"));
    mkdirSync(join(folder, "file"));
    writeFileSync(join(folder, "file", "taken"), "");
    process.env.TILTH_CACHE = join(folder, "file", "taken");
    expect(cacheFolder("native")).toBe(join(packageRoot(), "build", "native"));
  });

  it.skipIf(!compilerHere || supportedLevels().length === 0)(
    "builds once, even when asked by several at a time",
    async () => {
      process.env.TILTH_CACHE = folder;
      const level = supportedLevels()[0];
      const libraries = await Promise.all([ensureNativeLibrary(level), ensureNativeLibrary(level)]);
      expect(libraries[0].path).toBe(libraries[1].path);
      const modified = statSync(libraries[0].path).mtimeMs;
      expect(await ensureNativeLibrary(level)).toEqual({ path: libraries[0].path, built: false });
      expect(statSync(libraries[0].path).mtimeMs).toBe(modified);
      expect(readdirSync(dirname(libraries[0].path))).toEqual([`libtilth-${level}.so`]);
    },
  );
});
