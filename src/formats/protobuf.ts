/** Messages in protobuf's wire format, written without their schema: https://protobuf.dev/programming-guides/encoding/ */

/** Bytes whose number is known before they are made, so that one tensor is in memory at a time. */
export interface DeferredBytes {
  readonly bytes: number;
  encode(): Uint8Array;
}

const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** Fields one after the other, as they are added. */
export class ProtobufMessage {
  private readonly parts: (Uint8Array | DeferredBytes)[] = [];
  /** Bytes of the message, without tag and length. */
  bytes = 0;

  private push(part: Uint8Array | DeferredBytes, bytes: number): void {
    this.parts.push(part);
    this.bytes += bytes;
  }

  private tag(field: number, type: number): void {
    this.varint((field << 3) | type);
  }

  private varint(value: number | bigint): void {
    const out: number[] = [];
    // A negative integer takes ten bytes: its two's complement in 64 bits.
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
    out.push(Number(rest));
    this.push(Uint8Array.from(out), out.length);
  }

  /** An integer or an enumeration's number. */
  integer(field: number, value: number | bigint): this {
    this.tag(field, wireType.varint);
    this.varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.tag(field, wireType.fixed32);
    const buffer = Buffer.alloc(4);
    buffer.writeFloatLE(value);
    this.push(buffer, 4);
    return this;
  }

  double(field: number, value: number): this {
    this.tag(field, wireType.fixed64);
    const buffer = Buffer.alloc(8);
    buffer.writeDoubleLE(value);
    this.push(buffer, 8);
    return this;
  }

  text(field: number, value: string): this {
    const bytes = Buffer.from(value);
    return this.delimited(field, { bytes: bytes.length, encode: () => bytes });
  }

  delimited(field: number, content: DeferredBytes): this {
    this.tag(field, wireType.delimited);
    this.varint(content.bytes);
    this.push(content, content.bytes);
    return this;
  }

  /** A message within this one; it must be complete. */
  message(field: number, content: ProtobufMessage): this {
    this.tag(field, wireType.delimited);
    this.varint(content.bytes);
    this.parts.push(...content.parts);
    this.bytes += content.bytes;
    return this;
  }

  /** The bytes in order. */
  *chunks(): Generator<Uint8Array> {
    for (const part of this.parts) yield part instanceof Uint8Array ? part : part.encode();
  }
}
