/** Levels that this machine may not have: they compile, and compute what its own level does. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { commonCompilerFlags, ensureNativeLibrary } from "../../src/engine/backends/cpu/build.ts";
import { levelNamed, supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { relativeDifference } from "../support/workbench.ts";
import { buildDriver, compiler, computeFolders, readResults, run } from "./driver.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-levels-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasCompiler = spawnSync(compiler, ["--version"]).status === 0;

it.skipIf(process.arch !== "x64" || !hasCompiler)("amx compiles (skipped without a compiler for x86-64)", async () => {
  expect(existsSync((await ensureNativeLibrary("amx")).path)).toBe(true);
});

const armCompiler = "aarch64-linux-gnu-g++";
const emulator = "qemu-aarch64";
const libraries = "/usr/aarch64-linux-gnu";
const armRuns = [armCompiler, emulator].every((program) => spawnSync(program, ["--version"]).status === 0);

describe.skipIf(!armRuns || !hasCompiler || supportedLevels().length === 0)(
  `neon (skipped without ${armCompiler} and ${emulator}: apt install g++-aarch64-linux-gnu qemu-user)`,
  () => {
    it("computes what the machine's own level does, kernel by kernel", async () => {
      const own = levelNamed(supportedLevels()[0]).compilerFlags;
      const [native, arm] = await Promise.all([
        buildDriver(folder, {
          name: "own",
          compiler,
          flags: [...commonCompilerFlags, ...own],
          folders: computeFolders,
        }),
        buildDriver(folder, {
          name: "neon",
          compiler: armCompiler,
          flags: [...commonCompilerFlags, ...levelNamed("neon").compilerFlags],
          folders: computeFolders,
        }),
      ]);
      const files = ["own", "neon"].map((name) => join(folder, `${name}.results`));
      await run(native, ["--results", files[0]]);
      await run(emulator, ["-L", libraries, arm, "--results", files[1]]);
      const [expected, actual] = files.map(readResults);
      expect(actual.map(({ entry }) => entry)).toEqual(expected.map(({ entry }) => entry));
      expect(expected.length).toBeGreaterThan(1000);
      const worst = new Map<string, number>();
      actual.forEach(({ entry, values }, i) => {
        const difference = relativeDifference(values, expected[i].values) / 1e-5;
        worst.set(
          entry,
          Math.max(worst.get(entry) ?? 0, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference),
        );
      });
      expect([...worst].filter(([, difference]) => difference > 1)).toEqual([]);
    });
  },
);
