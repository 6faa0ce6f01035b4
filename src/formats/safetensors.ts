/** Tensors in a file, as Hugging Face's `safetensors` writes and reads them. */
import { closeSync, fstatSync } from "node:fs";
import { TilthError, withTemporaryFile, writeFully } from "../foundation/index.ts";
import { floatsOfBrainHalf, floatsOfHalf } from "./half-floats.ts";
import { openFile, readFully } from "./open-file.ts";
import {
  damaged,
  elementBytes,
  maximumHeaderBytes,
  parseHeader,
  type SafetensorsType,
  type TensorRecord,
} from "./safetensors-header.ts";

export type SafetensorsData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Int8Array
  | Uint8Array;

/** A tensor to write; F16 and BF16 are given as bit patterns in a Uint16Array, BOOL as bytes 0 and 1. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: SafetensorsType;
  readonly data: SafetensorsData;
}

const arrayOf = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/**
 * Writes `entries` to `path`, whole or not at all. Wider types come first, so that every tensor is aligned; within one
 * width the order given is kept.
 * @throws TilthError where an entry's data does not fit its shape and type, or a name comes twice
 */
export function writeSafetensors(
  path: string,
  entries: readonly SafetensorsEntry[],
  metadata?: Readonly<Record<string, string>>,
): void {
  const ordered = [...entries].sort((a, b) => elementBytes[b.type] - elementBytes[a.type]);
  const described = new Map<string, object>();
  if (metadata !== undefined) described.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, shape, type, data } of ordered) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (!(data instanceof arrayOf[type]) || data.length !== count) {
      throw new TilthError(
        `${path}: tensor "${name}" is a ${data.constructor.name} of ${data.length}; ${type} of shape [${shape.join(", ")}] is a ${arrayOf[type].name} of ${count}`,
      );
    }
    if (name === "__metadata__" || described.has(name)) {
      throw new TilthError(`${path}: the tensor name "${name}" is reserved or comes twice; names must be unique`);
    }
    described.set(name, { dtype: type, shape, data_offsets: [offset, offset + data.byteLength] });
    offset += data.byteLength;
  }
  // Joined by hand: a plain object would reorder names that look like indices and lose "__proto__".
  const fields = [...described].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = Buffer.from(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(json.byteLength / 8) * 8;
  if (headerBytes > maximumHeaderBytes) {
    throw new TilthError(`${path}: the header would take ${headerBytes} bytes; readers accept ${maximumHeaderBytes}`);
  }
  const header = Buffer.alloc(8 + headerBytes, " ");
  header.writeBigUInt64LE(BigInt(headerBytes));
  json.copy(header, 8);
  withTemporaryFile(path, (descriptor) => {
    writeFully(descriptor, header);
    for (const { data } of ordered) {
      writeFully(descriptor, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}

/**
 * Opens a file and checks its header; tensors are read when asked for.
 * @throws TilthError where the file is missing or damaged, saying how
 */
export function readSafetensors(path: string): SafetensorsFile {
  return openFile(path, ".safetensors", (descriptor) => new SafetensorsFile(path, descriptor));
}

/** An open safetensors file. */
export class SafetensorsFile {
  /** Tensor names, in the order of the header. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  private readonly tensors: ReadonlyMap<string, TensorRecord>;
  private readonly dataStart: number;
  private descriptor: number | undefined;

  /** Use `readSafetensors`. The file takes ownership of `descriptor` once this returns. */
  constructor(
    readonly path: string,
    descriptor: number,
  ) {
    this.descriptor = descriptor;
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw damaged(path, "it is a folder or a device");
    if (stat.size < 8) throw damaged(path, `it has ${stat.size} bytes, the length of its header alone takes 8`);
    const length = Buffer.from(this.readBytes(0, 8).buffer).readBigUInt64LE();
    if (length > BigInt(maximumHeaderBytes) || Number(length) > stat.size - 8) {
      throw damaged(
        path,
        `its header is said to take ${length} bytes; at most ${Math.min(maximumHeaderBytes, stat.size - 8)} are possible`,
      );
    }
    this.dataStart = 8 + Number(length);
    const header = parseHeader(path, this.readBytes(8, Number(length)), stat.size - this.dataStart);
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.names = [...header.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Type, shape and place of a tensor; throws TilthError where it is missing. */
  record(name: string): TensorRecord {
    const record = this.tensors.get(name);
    if (record === undefined) {
      throw new TilthError(`${this.path} has no tensor "${name}"; it has ${summary(this.names)}`);
    }
    return record;
  }

  /** A tensor as it is stored; throws TilthError where it is missing. */
  raw(name: string): SafetensorsEntry {
    const { type, shape, begin, end } = this.record(name);
    const { buffer } = this.readBytes(this.dataStart + begin, end - begin);
    return { name, shape, type, data: new arrayOf[type](buffer) };
  }

  /** A tensor of type F32, F16 or BF16 as 32-bit floats; throws TilthError where it is missing or of another type. */
  floats(name: string): { shape: number[]; data: Float32Array } {
    const { type, shape, data } = this.raw(name);
    if (data instanceof Float32Array) return { shape: [...shape], data };
    if (data instanceof Uint16Array && type === "F16") return { shape: [...shape], data: floatsOfHalf(data) };
    if (data instanceof Uint16Array && type === "BF16") return { shape: [...shape], data: floatsOfBrainHalf(data) };
    throw new TilthError(`${this.path}: tensor "${name}" is of type ${type}; F32, F16 or BF16 was expected`);
  }

  /** Frees the file; further reads throw. */
  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private readBytes(position: number, count: number): Uint8Array<ArrayBuffer> {
    if (this.descriptor === undefined) throw new TilthError(`${this.path} was read after it was closed`);
    const bytes = new Uint8Array(count);
    readFully(this.descriptor, bytes, position, (problem) => damaged(this.path, problem));
    return bytes;
  }
}

function summary(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  return shown.length === 0 ? "none" : shown.join(", ");
}
