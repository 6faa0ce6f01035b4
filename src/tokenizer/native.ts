/** The tokenizer's hot loops in C++ (native/tokenizer): pieces, byte-pair encoding, counting and merging. */
import koffi from "koffi";
import { buildNativeLibrary, CompilerMissingError } from "../foundation/index.ts";
import { type PatternName, patternNames } from "./pre-tokenizer.ts";
import { characterClasses } from "./unicode-classes.ts";

const compilerFlags = ["-std=c++17", "-O3", "-fPIC", "-pthread", "-fvisibility=hidden"];

type Argument = number | bigint | ArrayBufferView;
type Native = (...parameters: Argument[]) => number | bigint;

const pointer = "void *";
const handle = "uintptr_t";
const signatures = {
  tokenizer_classes: ["void", [pointer]],
  tokenizer_pieces: ["int64_t", ["int32_t", pointer, "int64_t", pointer]],
  tokenizer_create: [
    handle,
    [
      ...["int32_t", "int32_t", pointer, "int64_t", pointer, pointer, pointer],
      ...["int64_t", pointer, pointer, pointer, pointer],
    ],
  ],
  tokenizer_free: ["void", [handle]],
  tokenizer_encode: ["void", [handle, pointer, pointer, "int64_t", pointer, pointer, "int32_t"]],
  counter_create: [handle, ["int32_t", "int64_t"]],
  counter_free: ["void", [handle]],
  counter_feed: ["void", [handle, pointer, pointer, "int64_t", "int32_t"]],
  counter_pieces: ["int64_t", [handle]],
  counter_bytes: ["int64_t", [handle]],
  counter_take: ["void", [handle, pointer, pointer, pointer]],
  merger_create: [handle, [pointer, pointer, pointer, "int64_t", "int64_t", pointer, pointer, "int64_t", "double"]],
  merger_free: ["void", [handle]],
  merger_run: ["int64_t", [handle, "int64_t", "int64_t", pointer, pointer, pointer]],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

export type TokenizerLibrary = { readonly [Name in keyof typeof signatures]: Native };

let loaded: TokenizerLibrary | undefined;
let loading: Promise<boolean> | undefined;

/**
 * Builds the native kernels if need be and loads them into this thread; every tokenizer uses them from then on. False
 * where there is no compiler or TILTH_TEXT is "reference": then the same results come from TypeScript, slowly.
 */
export function prepareTokenizerKernels(): Promise<boolean> {
  loading ??= load();
  return loading;
}

async function load(): Promise<boolean> {
  if (process.env.TILTH_TEXT === "reference") return false;
  try {
    const { path } = await buildNativeLibrary({
      folder: "native/tokenizer",
      name: "libtilth-tokenizer",
      compilerFlags,
    });
    const library = koffi.load(path);
    const functions = Object.fromEntries(
      Object.entries(signatures).map(([name, [result, parameters]]) => [
        name,
        library.func(`tilth_${name}`, result, [...parameters]),
      ]),
    ) as unknown as TokenizerLibrary;
    functions.tokenizer_classes(characterClasses());
    loaded = functions;
    return true;
  } catch (error) {
    if (error instanceof CompilerMissingError) return false;
    throw error;
  }
}

/** The kernels, once `prepareTokenizerKernels` has loaded them into this thread. */
export function tokenizerLibrary(): TokenizerLibrary | undefined {
  return loaded;
}

/** The number by which the native side knows a pattern. */
export function patternNumber(pattern: PatternName): number {
  return patternNames.indexOf(pattern);
}

/** The kernels read whole words beyond a text's end. */
const padding = 32;
const encoder = new TextEncoder();

/** Texts as UTF-8 one after the other, with the offset of each and, last, of the end. */
export interface PackedTexts {
  readonly bytes: Uint8Array;
  readonly offsets: BigInt64Array;
}

let scratch = new Uint8Array(1 << 16);

/** Packs texts for the kernels; what is returned lasts until the next call. */
export function packTexts(texts: readonly string[]): PackedTexts {
  const most = texts.reduce((sum, text) => sum + text.length * 3, padding);
  if (most > scratch.length) scratch = new Uint8Array(most);
  const offsets = new BigInt64Array(texts.length + 1);
  let at = 0;
  texts.forEach((text, index) => {
    at += encoder.encodeInto(text, scratch.subarray(at)).written;
    offsets[index + 1] = BigInt(at);
  });
  const bytes = scratch;
  // One huge text must not hold its memory for ever.
  if (scratch.length > 1 << 26) scratch = new Uint8Array(1 << 16);
  return { bytes, offsets };
}

/** The pieces of a text by the native scanner; undefined where it is not loaded. */
export function nativePiecesOf(text: string, pattern: PatternName): string[] | undefined {
  if (loaded === undefined) return undefined;
  const { bytes, offsets } = packTexts([text]);
  const length = Number(offsets[1]);
  const ends = new Int32Array(length);
  const count = Number(loaded.tokenizer_pieces(patternNumber(pattern), bytes, length, ends));
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  return Array.from({ length: count }, (_, i) => whole.toString("utf8", i === 0 ? 0 : ends[i - 1], ends[i]));
}

const freeing = new FinalizationRegistry<() => void>((free) => free());

/** Frees a native object when `owner` is collected. */
export function freeWith(owner: object, free: () => void): void {
  freeing.register(owner, free);
}
