/**
 * TensorBoard's event files: TFRecords (length, masked CRC-32C, data, masked CRC-32C) that each hold an `Event` in protocol
 * buffers (tensorflow/core/util/event.proto: wall_time 1, step 2, file_version 3, summary 5; summary.proto: value 1 = {tag 1,
 * simple_value 2}).
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** Writes scalars of a run as they come. A resumed run begins a new file, which TensorBoard reads after the older ones. */
export class TensorBoardWriter {
  private readonly descriptor: number;
  readonly path: string;

  /** @param folder what `tensorboard --logdir` is given */
  constructor(folder: string, now = Date.now()) {
    mkdirSync(folder, { recursive: true });
    const stamp = Math.floor(now / 1000);
    this.path = join(folder, `events.out.tfevents.${stamp}.${hostname()}.${process.pid}.0`);
    this.descriptor = openSync(this.path, "a");
    this.write(Buffer.concat([double(1, now / 1000), bytes(3, Buffer.from("brain.Event:2"))]));
  }

  /** The scalars of one step. @param seconds since 1970 */
  add(step: number, scalars: Readonly<Record<string, number>>, seconds = Date.now() / 1000): void {
    const values = Object.entries(scalars).map(([tag, value]) =>
      bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
    );
    if (values.length === 0) return;
    this.write(Buffer.concat([double(1, seconds), integer(2, step), bytes(5, Buffer.concat(values))]));
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private write(event: Buffer): void {
    const header = Buffer.alloc(8);
    header.writeBigUInt64LE(BigInt(event.length));
    const record = Buffer.concat([header, maskedChecksum(header), event, maskedChecksum(event)]);
    writeSync(this.descriptor, record);
  }
}

function variableLength(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}

const [varint, sixtyFourBits, delimited, thirtyTwoBits] = [0, 1, 2, 5];
const key = (field: number, wireType: number) => variableLength(field * 8 + wireType);

const integer = (field: number, value: number) => Buffer.concat([key(field, varint), variableLength(value)]);

const bytes = (field: number, value: Buffer) =>
  Buffer.concat([key(field, delimited), variableLength(value.length), value]);

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return Buffer.concat([key(field, sixtyFourBits), data]);
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([key(field, thirtyTwoBits), data]);
}

/** CRC-32C (Castagnoli), reflected. */
const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** TFRecord masks checksums, so that one of data that holds checksums is still a good one. */
function maskedChecksum(data: Buffer): Buffer {
  let sum = 0xffffffff;
  for (const byte of data) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  sum = (sum ^ 0xffffffff) >>> 0;
  const out = Buffer.alloc(4);
  out.writeUInt32LE((((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0);
  return out;
}
