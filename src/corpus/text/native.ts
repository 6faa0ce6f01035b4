/** The text kernels in C++ (native/text), built on first use; one library serves every processor. */
import koffi from "koffi";
import { buildNativeLibrary, CompilerMissingError, TilthError } from "../../foundation/index.ts";
import { characterFlags, lowerCase } from "./characters.ts";
import type { TextKernels } from "./kernels.ts";
import { slotsFor } from "./reference.ts";

const compilerFlags = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden"];

/**
 * The path of the native library, built if it is not in the cache; undefined where there is no compiler, or where
 * TILTH_TEXT is "reference". Throws TilthError where compiling fails.
 */
export async function buildTextLibrary(): Promise<string | undefined> {
  if (process.env.TILTH_TEXT === "reference") return undefined;
  try {
    return (await buildNativeLibrary({ folder: "native/text", name: "libtilth-text", compilerFlags })).path;
  } catch (error) {
    if (error instanceof CompilerMissingError) return undefined;
    throw error;
  }
}

type Argument = number | ArrayBufferView;
type Native = (...parameters: Argument[]) => number;

const pointer = "void *";
const text = [pointer, "int64_t", pointer, pointer];
const signatures = {
  words: ["int64_t", ["int32_t", ...text, pointer, pointer, pointer, pointer, "int64_t"]],
  signature: ["int64_t", [...text, "int64_t", "int64_t", pointer, pointer, "int64_t", pointer]],
  grams: ["int64_t", [...text, "int64_t", pointer, pointer, "int64_t"]],
  gram_table: ["int64_t", [pointer, pointer, "int64_t", pointer, pointer, "int64_t"]],
  find_grams: ["int64_t", [...text, "int64_t", pointer, pointer, "int64_t", pointer, pointer, pointer, "int64_t"]],
  note_windows: ["void", [pointer, pointer, "int64_t", "int64_t", pointer, pointer, "int32_t"]],
  mark_windows: ["int64_t", [pointer, pointer, "int64_t", "int64_t", pointer, "int32_t", pointer]],
  mark_repeats: ["int32_t", [pointer, pointer, "int64_t", "int64_t", pointer, "int32_t"]],
  scan: [
    "void",
    [
      ...[pointer, "int64_t", pointer],
      ...[pointer, pointer, pointer, pointer, "int64_t"],
      ...[pointer, pointer, pointer, pointer, "int64_t", pointer],
    ],
  ],
  suffix_array: ["int32_t", [pointer, "int64_t", "int64_t", pointer, "int32_t"]],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

/** The functions of the library at `path`, names without the prefix `tilth_text_`. */
export function loadTextLibrary(path: string): { readonly [Name in keyof typeof signatures]: Native } {
  const library = koffi.load(path);
  return Object.fromEntries(
    Object.entries(signatures).map(([name, [result, parameters]]) => [
      name,
      library.func(`tilth_text_${name}`, result, [...parameters]),
    ]),
  ) as unknown as { readonly [Name in keyof typeof signatures]: Native };
}

/** A text in UTF-16, kept until another one comes: several kernels look at the same document. */
class TextBuffer {
  private bytes = Buffer.alloc(1 << 16);
  private text = "";

  /** The leading arguments of a kernel over the text. */
  load(text: string): Argument[] {
    if (text !== this.text) {
      if (text.length * 2 > this.bytes.length) this.bytes = Buffer.alloc(text.length * 3);
      this.bytes.write(text, "utf16le");
      this.text = text;
    }
    return [this.bytes, text.length, characterFlags, lowerCase];
  }
}

/** Arrays that grow as needed; `columns` of them side by side. */
class Columns {
  capacity = 1 << 14;
  private arrays: Int32Array[];

  constructor(private readonly columns: number) {
    this.arrays = this.allocated();
  }

  /** Calls `fill` until what it returns fits; entry i of the result is column i, cut to that length. */
  filled(fill: (arrays: Int32Array[], capacity: number) => number): { count: number; arrays: Int32Array[] } {
    let count = fill(this.arrays, this.capacity);
    if (count > this.capacity) {
      this.capacity = Math.ceil(count * 1.5);
      this.arrays = this.allocated();
      count = fill(this.arrays, this.capacity);
    }
    return { count, arrays: this.arrays.map((array) => array.subarray(0, count)) };
  }

  private allocated(): Int32Array[] {
    return Array.from({ length: this.columns }, () => new Int32Array(this.capacity));
  }
}

/** The kernels of the library at `path`. Throws where the system cannot load it. */
export function nativeKernels(path: string): TextKernels {
  const native = loadTextLibrary(path);
  const buffer = new TextBuffer();
  const [four, three, two] = [new Columns(4), new Columns(3), new Columns(2)];
  const figures = new Float64Array(13);
  return {
    name: "native",
    scan(text, { words, lines }) {
      const [units, length, flags] = buffer.load(text);
      native.scan(
        ...[units, length, flags],
        ...[words.starts, words.ends, words.hashes, words.flags, words.starts.length],
        ...[lines.starts, lines.ends, lines.firstWords, lines.opensParagraph, lines.starts.length, figures],
      );
      return figures;
    },
    words(text, mode) {
      const { count, arrays } = four.filled((columns, capacity) =>
        native.words(mode === "words" ? 0 : 1, ...buffer.load(text), ...columns, capacity),
      );
      const [first, second, starts, ends] = arrays;
      return { count, first, second, starts, ends };
    },
    signature(text, shingle, functions) {
      const minima = new Uint32Array(functions.first.length);
      const { first, second } = functions;
      const source = buffer.load(text);
      const shingles = native.signature(...source, shingle.words, shingle.minimum, first, second, first.length, minima);
      return shingles < shingle.minimum ? undefined : minima;
    },
    grams(text, n) {
      const { count, arrays } = two.filled((columns, capacity) =>
        native.grams(...buffer.load(text), n, ...columns, capacity),
      );
      return { count, first: arrays[0], second: arrays[1] };
    },
    gramTable({ count, first, second }) {
      const slots = slotsFor(count);
      const table = { keys: new Uint32Array(slots * 2), values: new Uint32Array(slots) };
      native.gram_table(first, second, count, table.keys, table.values, slots);
      return table;
    },
    findGrams(text, n, { keys, values }) {
      const { count, arrays } = three.filled((columns, capacity) =>
        native.find_grams(...buffer.load(text), n, keys, values, values.length, ...columns, capacity),
      );
      const [starts, ends, found] = arrays;
      return { count, starts, ends, values: new Uint32Array(found.buffer, found.byteOffset, found.length) };
    },
    noteWindows({ count, first, second }, width, { bits, seen, repeated }) {
      native.note_windows(first, second, count, width, seen, repeated, bits);
    },
    markWindows({ count, first, second }, width, { bits, repeated }) {
      const marks = new Uint8Array(count);
      native.mark_windows(first, second, count, width, repeated, bits, marks);
      return marks;
    },
    markRepeats({ count, first, second }, width) {
      const marks = new Uint8Array(count);
      if (native.mark_repeats(first, second, count, width, marks, 0) !== 0) {
        throw new TilthError(`memory ran out over a suffix array of ${count} tokens, which takes 20 to 40 bytes each`, {
          remedy: "Raise deduplication.substrings.minimumTokens, or build in smaller corpora.",
        });
      }
      return marks;
    },
  };
}
