/**
 * TensorBoard's event files: TFRecords (length, masked CRC-32C, data, masked CRC-32C) that each hold an `Event` in protocol
 * buffers (tensorflow/core/util/event.proto: wall_time 1, step 2, file_version 3, summary 5; summary.proto: value 1 = {tag 1,
 * simple_value 2}).
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { ProtobufMessage } from "../../formats/index.ts";

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
    this.write(new ProtobufMessage().double(1, now / 1000).text(3, "brain.Event:2"));
  }

  /** The scalars of one step. @param seconds since 1970 */
  add(step: number, scalars: Readonly<Record<string, number>>, seconds = Date.now() / 1000): void {
    const summary = new ProtobufMessage();
    for (const [tag, value] of Object.entries(scalars)) {
      summary.message(1, new ProtobufMessage().text(1, tag).float(2, value));
    }
    if (summary.bytes === 0) return;
    this.write(new ProtobufMessage().double(1, seconds).integer(2, step).message(5, summary));
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private write(message: ProtobufMessage): void {
    const event = Buffer.concat([...message.chunks()]);
    const header = Buffer.alloc(8);
    header.writeBigUInt64LE(BigInt(event.length));
    const record = Buffer.concat([header, maskedChecksum(header), event, maskedChecksum(event)]);
    writeSync(this.descriptor, record);
  }
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
