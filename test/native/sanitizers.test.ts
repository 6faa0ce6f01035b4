import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { commonCompilerFlags } from "../../src/engine/backends/cpu/build.ts";
import { levelNamed, supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { buildDriver, compiler, computeFolders, exportedNames, hasSanitizer, run, textFolders } from "./driver.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-sanitizers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Builds the driver with a sanitizer. `level` is undefined for kernels that serve every processor. */
function driverUnder(sanitizer: string, level: string | undefined): Promise<string> {
  return buildDriver(folder, {
    name: `${sanitizer}-${level ?? "text"}`,
    compiler,
    flags: [
      ...commonCompilerFlags,
      ...(level === undefined ? [] : levelNamed(level).compilerFlags),
      ...["-O1", "-g1", `-fsanitize=${sanitizer}`, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"],
    ],
    folders: level === undefined ? textFolders : computeFolders,
  });
}

// Scratch memory lives as long as the process, on purpose.
const environment = { ASAN_OPTIONS: "detect_leaks=0", TSAN_OPTIONS: "halt_on_error=1" };

/** Runs all entries; fails where an exported function of the folders has none. */
async function expectAllClean(program: string, folders: readonly string[]): Promise<void> {
  const entries = (await run(program, ["--list"])).trim().split("\n");
  const missing = exportedNames(folders).filter((name) => !entries.includes(name));
  expect(missing, "exported functions without a KERNEL entry in test/native").toEqual([]);
  expect(await run(program, [], environment)).toContain(`${entries.length} entries ran`);
}

const levels = supportedLevels();

describe.skipIf(levels.length === 0 || !hasSanitizer(folder, "address,undefined"))(
  "ASan and UBSan (skipped without their libraries)",
  () => {
    it.each(levels)("find nothing in any kernel on %s", async (level) => {
      await expectAllClean(await driverUnder("address,undefined", level), computeFolders);
    });

    it("find nothing in any kernel over text", async () => {
      await expectAllClean(await driverUnder("address,undefined", undefined), textFolders);
    });
  },
);

describe.skipIf(levels.length === 0 || !hasSanitizer(folder, "thread"))("TSan (skipped without its library)", () => {
  it("finds no race between the threads of the pool", async () => {
    await expectAllClean(await driverUnder("thread", levels[0]), computeFolders);
  });
});
