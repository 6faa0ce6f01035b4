/** The native library's functions, declared once. Addresses and lengths travel as numbers. */
import koffi from "koffi";

/** What a declared function looks like from TypeScript. */
type Native = (...parameters: (number | Float32Array | Int32Array | Uint16Array)[]) => number;

const address = "uintptr_t";
const length = "int64_t";

/** A tensor whose type, f32 or bf16, follows its address (and its row stride) as a flag. */
const numbers = [address, "int"] as const;
const stridedNumbers = [address, length, "int"] as const;

/** Result and parameters of every function of the C ABI (native/*.cpp); names without the prefix `tilth_`. */
const signatures = {
  allocate: [address, ["int", length]],
  release: ["void", [address]],
  write: ["void", [address, "const void *", length]],
  read: ["void", ["void *", address, length]],
  kernel_seconds: ["double", []],
  peak_flops: ["double", ["int", "double", "int"]],
  launch_seconds: ["double", ["int", length]],
  has_bf16: [length, []],
  fill: ["void", ["int", ...numbers, "float", length]],
  copy: ["void", ["int", ...stridedNumbers, ...stridedNumbers, length, length]],
  add: ["void", ["int", ...numbers, ...numbers, ...numbers, length]],
  scale: ["void", ["int", address, address, "float", length]],
  sum: ["void", ["int", address, address, length]],
  norm: ["void", ["int", address, address, length]],
  matmul: [
    "void",
    [
      "int",
      ...[address, length, "int", address, length, "int", "int", address, length, "int", "int"],
      ...[address, length, length, length, "int", "int"],
    ],
  ],
  embedding: [length, ["int", address, address, address, length, length, length]],
  embedding_backward: [length, ["int", address, address, address, length, length, length]],
  rms_norm: ["void", ["int", ...numbers, address, address, address, ...numbers, address, length, length, "float"]],
  rms_norm_backward: [
    "void",
    ["int", address, address, ...numbers, address, address, address, address, length, length],
  ],
  layer_norm: [
    "void",
    ["int", ...numbers, ...Array<string>(5).fill(address), ...numbers, address, length, length, "float"],
  ],
  layer_norm_backward: [
    "void",
    ["int", address, address, address, ...numbers, ...Array<string>(5).fill(address), length, length],
  ],
  head_norm: [
    "void",
    ["int", address, address, ...numbers, address, address, length, length, length, length, length, "float"],
  ],
  head_norm_backward: [
    "void",
    [
      ...["int", ...Array<string>(4).fill(address), ...numbers, address, address, address],
      ...[length, length, length, length, length],
    ],
  ],
  activation: ["void", ["int", address, ...numbers, length, "int"]],
  activation_backward: ["void", ["int", address, address, ...numbers, length, "int"]],
  dropout: ["void", ["int", address, ...numbers, length, length, "float", length]],
  mean_rows: [length, ["int", address, address, address, address, length, length, length]],
  mean_rows_backward: [length, ["int", address, address, address, address, length, length, length]],
  stored_embedding: [length, ["int", address, address, address, length, length, length]],
  store_weights: ["void", ["int", address, "const void *", length]],
  rope: [
    length,
    ["int", address, length, ...stridedNumbers, address, address, length, length, length, length, length, "int"],
  ],
  attention: [
    "void",
    [
      ...["int", "int"],
      ...[address, length, address, length, address, length, address, length],
      ...[address, address, address, address],
      ...[length, length, length, length, length, length, "float", "int", "int"],
    ],
  ],
  attention_backward: [
    "void",
    [
      ...["int", "int"],
      ...[address, length, address, length, address, length, address, length, address, address, length],
      ...[address, length, address, length, address, length, address, address],
      ...[length, length, length, length, length, length, "float", "int", "int"],
    ],
  ],
  swiglu: ["void", ["int", address, ...numbers, length, length]],
  swiglu_backward: ["void", ["int", address, address, ...numbers, length, length]],
  geglu: ["void", ["int", address, ...numbers, length, length]],
  geglu_backward: ["void", ["int", address, address, ...numbers, length, length]],
  patches: ["void", ["int", address, address, ...Array<string>(6).fill(length)]],
  add_rows: ["void", ["int", address, length, address, length, address, length, length, length]],
  add_rows_backward: ["void", ["int", address, ...stridedNumbers, length, length, length]],
  l2_normalize: ["void", ["int", address, address, address, length, length]],
  l2_normalize_backward: ["void", ["int", address, address, address, address, length, length]],
  contrastive_loss: [length, ["int", ...Array<string>(9).fill(address), length, length, "int"]],
  head_cross_entropy: [
    length,
    [
      ...["int", address, address, ...numbers, ...Array<string>(6).fill(address)],
      ...[length, length, length, "float", "float", "int", "int"],
    ],
  ],
  muon: [
    length,
    ["int", address, address, address, address, length, length, ...Array<string>(5).fill("double"), "int"],
  ],
  adamw: ["void", ["int", address, address, address, address, address, length, ...Array<string>(7).fill("double")]],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

/** The functions of a loaded library. */
export type NativeLibraryFunctions = { readonly [Name in keyof typeof signatures]: Native };

const loaded = new Map<string, NativeLibraryFunctions>();

/** Loads the library at `path` once a thread. Throws where the system cannot load it. */
export function loadLibrary(path: string): NativeLibraryFunctions {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const library = koffi.load(path);
  const functions = Object.fromEntries(
    Object.entries(signatures).map(([name, [result, parameters]]) => [
      name,
      library.func(`tilth_${name}`, result, [...parameters]) as unknown as Native,
    ]),
  ) as unknown as NativeLibraryFunctions;
  loaded.set(path, functions);
  return functions;
}
