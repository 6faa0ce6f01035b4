/** Writes GGUF files: header, metadata, tensor table, then the tensors one after the other as they are made. */
import { TilthError, withTemporaryFile, writeFully } from "../../foundation/index.ts";
import {
  aligned,
  defaultAlignment,
  type GgufType,
  type GgufValue,
  magic,
  type ScalarType,
  tensorBytes,
  tensorTypes,
  valueTypes,
  version,
} from "./types.ts";

/** A tensor to write; `encode` gives its bytes when its turn has come, so that one is in memory at a time. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major, outermost axis first; GGUF's own order is the reverse. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  encode(): Uint8Array;
}

/**
 * Writes `path` whole or not at all; tensors begin at multiples of 32 bytes.
 * @throws TilthError where a name comes twice or a tensor's bytes do not fit its shape and type
 */
export function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): void {
  const header = new ByteWriter();
  header.uint32(magic);
  header.uint32(version);
  header.uint64(tensors.length);
  header.uint64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    header.value(value);
  }
  const names = new Set<string>();
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    if (names.has(name)) throw new TilthError(`${path}: two tensors are named "${name}"`);
    names.add(name);
    header.string(name);
    header.uint32(shape.length);
    for (const size of [...shape].reverse()) header.uint64(size);
    header.uint32(tensorTypes[type].code);
    header.uint64(offset);
    offset = aligned(offset + tensorBytes(type, shape), defaultAlignment);
  }
  withTemporaryFile(path, (descriptor) => {
    writeFully(descriptor, header.padded(defaultAlignment));
    for (const { name, shape, type, encode } of tensors) {
      const bytes = encode();
      const expected = tensorBytes(type, shape);
      if (bytes.byteLength !== expected) {
        throw new TilthError(
          `${path}: tensor "${name}" has ${bytes.byteLength} bytes; ${type} of shape [${shape.join(", ")}] takes ${expected}`,
        );
      }
      writeFully(descriptor, bytes);
      writeFully(descriptor, new Uint8Array(aligned(expected, defaultAlignment) - expected));
    }
  });
}

/** Little-endian values one after the other. */
class ByteWriter {
  private readonly parts: Buffer[] = [];
  private bytes = 0;

  private push(part: Buffer): void {
    this.parts.push(part);
    this.bytes += part.length;
  }

  uint32(value: number): void {
    this.scalar("uint32", value);
  }

  uint64(value: number): void {
    this.scalar("uint64", value);
  }

  string(text: string): void {
    const bytes = Buffer.from(text);
    this.uint64(bytes.length);
    this.push(bytes);
  }

  value(value: GgufValue): void {
    this.uint32(valueTypes[value.type]);
    if (value.type !== "array") {
      this.scalar(value.type, value.value);
      return;
    }
    this.uint32(valueTypes[value.of]);
    this.uint64(value.value.length);
    for (const item of value.value) this.scalar(value.of, item);
  }

  private scalar(type: ScalarType, value: string | number | bigint | boolean): void {
    if (type === "string") {
      this.string(String(value));
      return;
    }
    const buffer = Buffer.alloc(8);
    this.push(buffer.subarray(0, scalarWriters[type](buffer, value)));
  }

  /** All bytes, zeros behind them up to the alignment. */
  padded(alignment: number): Buffer {
    return Buffer.concat(this.parts, aligned(this.bytes, alignment));
  }
}

/** Each writes at the start of a buffer and returns the bytes written. */
const scalarWriters: Record<
  Exclude<ScalarType, "string">,
  (buffer: Buffer, value: string | number | bigint | boolean) => number
> = {
  uint8: (buffer, value) => buffer.writeUInt8(Number(value)),
  int8: (buffer, value) => buffer.writeInt8(Number(value)),
  uint16: (buffer, value) => buffer.writeUInt16LE(Number(value)),
  int16: (buffer, value) => buffer.writeInt16LE(Number(value)),
  uint32: (buffer, value) => buffer.writeUInt32LE(Number(value)),
  int32: (buffer, value) => buffer.writeInt32LE(Number(value)),
  float32: (buffer, value) => buffer.writeFloatLE(Number(value)),
  float64: (buffer, value) => buffer.writeDoubleLE(Number(value)),
  bool: (buffer, value) => buffer.writeUInt8(value ? 1 : 0),
  uint64: (buffer, value) => buffer.writeBigUInt64LE(BigInt(value)),
  int64: (buffer, value) => buffer.writeBigInt64LE(BigInt(value)),
};
