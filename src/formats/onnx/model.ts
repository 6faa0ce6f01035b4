/** What stands in an ONNX model, as far as Tilth writes it: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */

/** ONNX's numbers of element types, with the bytes of an element. */
export const onnxTypes = {
  F32: { code: 1, bytes: 4 },
  I64: { code: 7, bytes: 8 },
  BOOL: { code: 9, bytes: 1 },
  F16: { code: 10, bytes: 2 },
  BF16: { code: 16, bytes: 2 },
} as const;

export type OnnxType = keyof typeof onnxTypes;

/** A tensor that the file holds; `encode` gives its bytes, row-major and little-endian, when its turn has come. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  encode(): Uint8Array;
}

/** An input or output: an axis is a number, or a name where it may have any size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

/** A whole number, a float, text or whole numbers. */
export type OnnxAttribute =
  | { readonly integer: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly integers: readonly number[] };

/** An operation on named values. */
export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A computation with its weights. Nodes are in an order in which they can run. */
export interface OnnxModel {
  readonly name: string;
  /** Version of ONNX's operators. */
  readonly operatorSet: number;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of a tensor. */
export function onnxBytes({ type, shape }: OnnxTensor): number {
  return shape.reduce((product, size) => product * size, 1) * onnxTypes[type].bytes;
}
