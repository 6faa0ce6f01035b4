import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { commonCompilerFlags } from "../../src/engine/backends/cpu/build.ts";
import { levelNamed, supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { emulatedAmxFlags } from "../support/amx.ts";
import {
  buildDriver,
  compiler,
  computeFolders,
  exportedNames,
  hasSanitizer,
  run,
  textFolders,
  tokenizerFolders,
} from "./driver.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-sanitizers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Builds the driver with a sanitizer: the kernels of a level, or those over text or tokens, which serve every processor. */
function driverUnder(sanitizer: string, level: string, folders = computeFolders): Promise<string> {
  const levelFlags =
    level === emulatedAmx
      ? emulatedAmxFlags
      : level === anyLevel
        ? ["-DTILTH_NO_CLONES"]
        : levelNamed(level).compilerFlags;
  return buildDriver(folder, {
    name: [sanitizer, level, ...folders].join("-").replaceAll("/", "-"),
    compiler,
    flags: [
      ...commonCompilerFlags,
      ...levelFlags,
      ...["-O1", "-g1", `-fsanitize=${sanitizer}`, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"],
    ],
    folders,
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
const emulatedAmx = "amx-emulated";
const anyLevel = "any";
const emulated = levels.includes("avx512bf16") && !levels.includes("amx");

describe.skipIf(levels.length === 0 || !hasSanitizer(folder, "address,undefined"))(
  "ASan and UBSan (skipped without their libraries)",
  () => {
    it.each(levels)("find nothing in any kernel on %s", async (level) => {
      await expectAllClean(await driverUnder("address,undefined", level), computeFolders);
    });

    // Everything else is the level avx512bf16's, and emulation takes its time.
    it.runIf(emulated)("find nothing where AMX's tiles are used, emulated", async () => {
      const entries = ["matmul", "attention", "attention_backward", "head_cross_entropy", "peak_flops"];
      const program = await driverUnder("address,undefined", emulatedAmx);
      expect(await run(program, entries, environment)).toContain(`${entries.length} entries ran`);
    });

    it.each([
      ["text", textFolders],
      ["tokens", tokenizerFolders],
    ])("find nothing in any kernel over %s", async (_, folders) => {
      await expectAllClean(await driverUnder("address,undefined", anyLevel, folders), folders);
    });
  },
);

describe.skipIf(levels.length === 0 || !hasSanitizer(folder, "thread"))("TSan (skipped without its library)", () => {
  it("finds no race between the threads of the pool", async () => {
    await expectAllClean(await driverUnder("thread", levels[0]), computeFolders);
  });

  it("finds no race between the threads that count pieces and encode", async () => {
    await expectAllClean(await driverUnder("thread", anyLevel, tokenizerFolders), tokenizerFolders);
  });
});
