/** Reads GGUF files: header and tensor table at once, tensors when asked for. Nothing outside the file is ever read. */
import { closeSync, fstatSync } from "node:fs";
import { TilthError } from "../../foundation/index.ts";
import { floatsOfBrainHalf, floatsOfHalf } from "../half-floats.ts";
import { openFile, readFully } from "../open-file.ts";
import {
  aligned,
  damagedGguf,
  defaultAlignment,
  type GgufType,
  type GgufValue,
  magic,
  type ScalarType,
  tensorBytes,
  tensorTypes,
  valueTypes,
} from "./types.ts";

/** A tensor's place; `type` is ggml's number where Tilth has no name for it. */
export interface GgufRecord {
  /** Row-major, outermost axis first. */
  readonly shape: readonly number[];
  readonly type: GgufType | number;
  /** From the start of the file; undefined for types of unknown size. */
  readonly begin: number;
  readonly bytes: number | undefined;
}

/** Opens a file and checks its header. Throws TilthError where it is missing or damaged, saying how. */
export function readGguf(path: string): GgufFile {
  return openFile(path, ".gguf", (descriptor) => new GgufFile(path, descriptor));
}

/** An open GGUF file. */
export class GgufFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufRecord>;
  private descriptor: number | undefined;

  /** Use `readGguf`. The file takes ownership of `descriptor` once this returns. */
  constructor(
    readonly path: string,
    descriptor: number,
  ) {
    this.descriptor = descriptor;
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw damagedGguf(path, "it is a folder or a device");
    const reader = new FileReader(path, descriptor, stat.size);
    if (stat.size < 24 || reader.number("uint32") !== magic) throw damagedGguf(path, "it does not begin with GGUF");
    this.version = reader.number("uint32");
    if (this.version !== 2 && this.version !== 3) {
      throw damagedGguf(path, `its version is ${this.version}; versions 2 and 3 are read`);
    }
    // The shortest entries: a tensor of 24 bytes and a key of 13.
    const tensorCount = reader.count("the number of tensors", 24);
    const metadataCount = reader.count("the number of metadata entries", 13);
    this.metadata = readMetadata(reader, metadataCount);
    this.tensors = readTable(reader, tensorCount, alignmentOf(path, this.metadata));
  }

  /** A tensor of type F32, F16, BF16 or Q8_0 as floats; throws TilthError where it is missing or of another type. */
  floats(name: string): { shape: number[]; data: Float32Array } {
    const record = this.tensors.get(name);
    if (record === undefined) throw new TilthError(`${this.path} has no tensor "${name}"`);
    const { type, shape, begin, bytes } = record;
    if (typeof type === "number" || bytes === undefined) {
      throw new TilthError(`${this.path}: tensor "${name}" is of ggml type ${type}; F32, F16, BF16 and Q8_0 are read`);
    }
    if (this.descriptor === undefined) throw new TilthError(`${this.path} was read after it was closed`);
    const data = new Uint8Array(bytes);
    readFully(this.descriptor, data, begin, (problem) => damagedGguf(this.path, problem));
    return { shape: [...shape], data: decode(type, data) };
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}

function readMetadata(reader: FileReader, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = reader.string("a metadata key");
    if (metadata.has(key)) throw damagedGguf(reader.path, `the metadata key ${JSON.stringify(key)} comes twice`);
    metadata.set(key, reader.value(key));
  }
  return metadata;
}

function alignmentOf(path: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const stated = metadata.get("general.alignment")?.value ?? defaultAlignment;
  if (typeof stated !== "number" || stated < 8 || stated > 1 << 20 || stated % 8 !== 0) {
    throw damagedGguf(path, `general.alignment is ${String(stated)}, not a multiple of 8`);
  }
  return stated;
}

function readTable(reader: FileReader, count: number, alignment: number): Map<string, GgufRecord> {
  const { path } = reader;
  const entries: { name: string; shape: number[]; code: number; offset: number }[] = [];
  for (let i = 0; i < count; i++) {
    const name = reader.string("a tensor name");
    const axes = reader.number("uint32");
    if (axes > 4) throw damagedGguf(path, `tensor ${JSON.stringify(name)} has ${axes} axes; at most 4 are possible`);
    const shape = Array.from({ length: axes }, () => reader.size(`an axis of ${name}`)).reverse();
    entries.push({ name, shape, code: reader.number("uint32"), offset: reader.size(`the offset of ${name}`) });
  }
  const dataStart = aligned(reader.position, alignment);
  const tensors = new Map<string, GgufRecord>();
  for (const { name, shape, code, offset } of entries) {
    const label = `tensor ${JSON.stringify(name)}`;
    if (tensors.has(name)) throw damagedGguf(path, `${label} comes twice`);
    if (offset % alignment !== 0)
      throw damagedGguf(path, `${label} begins at ${offset}, not a multiple of ${alignment}`);
    const known = (Object.keys(tensorTypes) as GgufType[]).find((type) => tensorTypes[type].code === code);
    const bytes = known && tensorBytes(known, shape);
    if (known && (shape.at(-1) ?? 1) % tensorTypes[known].blockElements !== 0) {
      throw damagedGguf(path, `${label} has rows of ${shape.at(-1)}, which are no whole blocks of ${known}`);
    }
    if (dataStart + offset + (bytes ?? 0) > reader.fileBytes) {
      throw damagedGguf(path, `${label} ends outside the file: it is truncated`);
    }
    tensors.set(name, { shape, type: known ?? code, begin: dataStart + offset, bytes });
  }
  return tensors;
}

function decode(type: GgufType, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  if (type === "F32") return new Float32Array(bytes.buffer);
  if (type === "F16") return floatsOfHalf(new Uint16Array(bytes.buffer));
  if (type === "BF16") return floatsOfBrainHalf(new Uint16Array(bytes.buffer));
  const { blockElements, blockBytes } = tensorTypes[type];
  const blocks = bytes.length / blockBytes;
  const view = new DataView(bytes.buffer);
  const scales = floatsOfHalf(Uint16Array.from({ length: blocks }, (_, i) => view.getUint16(i * blockBytes, true)));
  const out = new Float32Array(blocks * blockElements);
  for (let i = 0; i < out.length; i++) {
    const block = Math.floor(i / blockElements);
    out[i] = scales[block] * view.getInt8(block * blockBytes + 2 + (i % blockElements));
  }
  return out;
}

const windowBytes = 1 << 20;

/** Little-endian values one after the other, through a window on the file. */
class FileReader {
  position = 0;
  private window = Buffer.alloc(0);
  private windowStart = 0;

  constructor(
    readonly path: string,
    private readonly descriptor: number,
    readonly fileBytes: number,
  ) {}

  private take(bytes: number): Buffer {
    if (bytes > this.fileBytes - this.position) {
      throw damagedGguf(this.path, `${bytes} bytes are announced at byte ${this.position}, beyond its end`);
    }
    if (this.position + bytes > this.windowStart + this.window.length || this.position < this.windowStart) {
      this.windowStart = this.position;
      this.window = Buffer.alloc(Math.min(Math.max(bytes, windowBytes), this.fileBytes - this.position));
      readFully(this.descriptor, this.window, this.position, (problem) => damagedGguf(this.path, problem));
    }
    const start = this.position - this.windowStart;
    this.position += bytes;
    return this.window.subarray(start, start + bytes);
  }

  number(type: "uint32"): number {
    return Number(this.scalar(type));
  }

  /** An unsigned 64-bit number that a file can hold. */
  size(what: string): number {
    const value = this.scalar("uint64") as bigint;
    if (value > BigInt(2 ** 48)) throw damagedGguf(this.path, `${what} is ${value}, beyond any file`);
    return Number(value);
  }

  /** A count of entries that take at least `entryBytes` each. */
  count(what: string, entryBytes: number): number {
    const value = this.size(what);
    if (value * entryBytes > this.fileBytes - this.position) {
      throw damagedGguf(this.path, `${what} is ${value}, more than the file can hold`);
    }
    return value;
  }

  string(what: string): string {
    const bytes = this.take(this.size(`the length of ${what}`));
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw damagedGguf(this.path, `${what} is not UTF-8`);
    }
  }

  value(key: string): GgufValue {
    const type = this.valueType(key);
    if (type !== "array") return { type, value: this.scalar(type, key) } as GgufValue;
    const of = this.valueType(key);
    if (of === "array") throw damagedGguf(this.path, `${JSON.stringify(key)} is an array of arrays`);
    const length = this.count(`the length of ${JSON.stringify(key)}`, scalarBytes[of]);
    return { type, of, value: Array.from({ length }, () => this.scalar(of, key)) };
  }

  private valueType(key: string): keyof typeof valueTypes {
    const code = this.number("uint32");
    const type = (Object.keys(valueTypes) as (keyof typeof valueTypes)[]).find((one) => valueTypes[one] === code);
    if (type === undefined) throw damagedGguf(this.path, `${JSON.stringify(key)} has the unknown value type ${code}`);
    return type;
  }

  private scalar(type: ScalarType, key = "a value"): string | number | bigint | boolean {
    if (type === "string") return this.string(JSON.stringify(key));
    const bytes = this.take(scalarBytes[type]);
    return scalarReaders[type](bytes);
  }
}

const scalarBytes: Record<ScalarType, number> = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
  string: 8,
};

const scalarReaders: Record<Exclude<ScalarType, "string">, (bytes: Buffer) => number | bigint | boolean> = {
  uint8: (bytes) => bytes.readUInt8(),
  int8: (bytes) => bytes.readInt8(),
  bool: (bytes) => bytes.readUInt8() !== 0,
  uint16: (bytes) => bytes.readUInt16LE(),
  int16: (bytes) => bytes.readInt16LE(),
  uint32: (bytes) => bytes.readUInt32LE(),
  int32: (bytes) => bytes.readInt32LE(),
  float32: (bytes) => bytes.readFloatLE(),
  uint64: (bytes) => bytes.readBigUInt64LE(),
  int64: (bytes) => bytes.readBigInt64LE(),
  float64: (bytes) => bytes.readDoubleLE(),
};
