/** What stands in a GGUF file, version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
import { TilthError } from "../../foundation/index.ts";

/** Tensor types that Tilth writes and reads: elements of a block, bytes of a block, ggml's number. */
export const tensorTypes = {
  F32: { code: 0, blockElements: 1, blockBytes: 4 },
  F16: { code: 1, blockElements: 1, blockBytes: 2 },
  Q8_0: { code: 8, blockElements: 32, blockBytes: 34 },
  BF16: { code: 30, blockElements: 1, blockBytes: 2 },
} as const;

export type GgufType = keyof typeof tensorTypes;

/** ggml's numbers for the types of metadata values. */
export const valueTypes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

export type ScalarType = Exclude<keyof typeof valueTypes, "array">;

/** A metadata value with its type: GGUF distinguishes what JavaScript does not. */
export type GgufValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: Exclude<ScalarType, "string" | "bool">; readonly value: number | bigint }
  | {
      readonly type: "array";
      readonly of: ScalarType;
      readonly value: readonly (string | number | bigint | boolean)[];
    };

export const magic = 0x46554747; // "GGUF", little-endian
export const version = 3;
export const defaultAlignment = 32;

/** Bytes of a tensor. Rows of a quantised type are whole blocks. */
export function tensorBytes(type: GgufType, shape: readonly number[]): number {
  const { blockElements, blockBytes } = tensorTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / blockElements) * blockBytes;
}

/** `bytes` rounded up to whole multiples. */
export function aligned(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** The error for a file that is not what its name says. */
export function damagedGguf(path: string, problem: string): TilthError {
  return new TilthError(`${path} is not a GGUF file that this version reads: ${problem}`, {
    remedy: "Copy or download the file again, or export it anew with: tilth export --to gguf",
  });
}
