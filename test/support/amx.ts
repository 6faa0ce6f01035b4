/** The kernels of the level `amx` with its tile instructions in software, for machines that have AVX512-BF16 but no AMX. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commonCompilerFlags } from "../../src/engine/backends/cpu/build.ts";
import { levelNamed } from "../../src/engine/backends/cpu/isa.ts";
import { buildNativeLibrary, hashOf, packageRoot } from "../../src/foundation/index.ts";

const header = join(packageRoot(), "test/native/amx-emulation.h");

/** What the compiler is told instead of the level's own flags. */
export const emulatedAmxFlags: readonly string[] = [
  ...levelNamed("avx512bf16").compilerFlags,
  ...["-DTILTH_EMULATE_AMX", "-include", header],
];

/** The library's path, built if it is not in the cache. */
export async function emulatedAmxLibrary(): Promise<string> {
  const { path } = await buildNativeLibrary({
    folder: "native",
    name: `libtilth-amx-emulated-${hashOf(readFileSync(header)).slice(0, 8)}`,
    compilerFlags: [...commonCompilerFlags, ...emulatedAmxFlags],
  });
  return path;
}
