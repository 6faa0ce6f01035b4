/** The native kernels, compiled once per instruction-set level. */
import { buildNativeLibrary, type NativeLibrary } from "../../../foundation/index.ts";
import { levelNamed } from "./isa.ts";

/** Flags of every level. No -ffast-math: infinities mask scores, and a NaN must reach the loss. */
export const commonCompilerFlags: readonly string[] = [
  "-std=c++17",
  "-O3",
  "-fPIC",
  "-pthread",
  "-fno-math-errno",
  "-ffp-contract=fast",
  "-fvisibility=hidden",
  // Vector types as template arguments lose attributes that do not matter here.
  "-Wno-ignored-attributes",
];

/**
 * The shared library of a level, built if the cache does not have it.
 * @param level a name of `isaLevels`; it need not be one that this machine can run
 * @throws CompilerMissingError without a compiler, TilthError where compiling or writing fails
 */
export async function ensureNativeLibrary(level: string): Promise<NativeLibrary> {
  const { compilerFlags } = levelNamed(level);
  return buildNativeLibrary({
    folder: "native",
    name: `libtilth-${level}`,
    compilerFlags: [...commonCompilerFlags, ...compilerFlags],
  });
}
