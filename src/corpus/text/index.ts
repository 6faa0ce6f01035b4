/** What characters are, hashes of words, and the text kernels: native where the library was built, else the reference. */
import type { TextKernels } from "./kernels.ts";
import { nativeKernels } from "./native.ts";
import { referenceKernels } from "./reference.ts";

export {
  BASE64,
  characterFlags,
  DIGIT,
  LETTER,
  lowerCase,
  SPACE,
  UNSPACED,
  WHITE,
  WORD_PART,
} from "./characters.ts";
export { finaliseHash } from "./hashing.ts";
export type { GramMatches, GramTable, Hashes, HashFunctions, TextKernels, WindowFilter, Words } from "./kernels.ts";
export { buildTextLibrary } from "./native.ts";
export { minimaOf } from "./reference.ts";

let kernels: TextKernels = referenceKernels;
let loaded: string | undefined;

/** Chooses this thread's kernels: those of the library at `path`, or the reference. */
export function useTextKernels(path: string | undefined): void {
  if (path === loaded) return;
  kernels = path === undefined ? referenceKernels : nativeKernels(path);
  loaded = path;
}

/** This thread's kernels. */
export function textKernels(): TextKernels {
  return kernels;
}
