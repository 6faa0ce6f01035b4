/**
 * The members of a gzip file one by one, as crawlers write a record each. Damage costs its own member: the next one is
 * found by its magic. Node's Gunzip joins members and gives up at the first fault, so they are cut here.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { crc32, inflateRawSync } from "node:zlib";
import { codeOf, messageOf } from "../../foundation/index.ts";

/** What lies at a place of the file. */
export type GzipMember =
  | { readonly offset: number; readonly content: Buffer }
  | { readonly offset: number; readonly damage: string }
  /** Too long to be one record: the file is to be read as a stream from here. */
  | { readonly offset: number; readonly long: true };

/** Compressed bytes that are looked at for the end of a member. */
const maximumMemberBytes = 32 * 1024 * 1024;
const firstReadBytes = 1 << 18;
const magic = Buffer.from([0x1f, 0x8b, 8]);
const trailerBytes = 8;

/** All members in order. A member that unpacks to more than `maximumBytes` is damage. */
export function* gzipMembers(file: string, maximumBytes: number): Generator<GzipMember> {
  const window = new FileWindow(file);
  try {
    for (let offset = 0; ; ) {
      const member = readMember(window, offset, maximumBytes);
      if (member === undefined) return;
      if ("end" in member) {
        yield { offset, content: member.content };
        offset = member.end;
      } else if ("long" in member) {
        yield { offset, long: true };
        return;
      } else {
        yield { offset, damage: member.damage };
        const next = window.find(magic, offset + 1);
        if (next === undefined) return;
        offset = next;
      }
    }
  } finally {
    window.close();
  }
}

type ReadMember =
  | { readonly content: Buffer; readonly end: number }
  | { readonly damage: string }
  | { readonly long: true }
  | undefined;

function readMember(window: FileWindow, offset: number, maximumBytes: number): ReadMember {
  for (let wanted = firstReadBytes; ; wanted *= 4) {
    const bytes = window.at(offset, wanted);
    if (bytes.length === 0) return undefined;
    const whole = bytes.length < wanted;
    const start = headerLength(bytes);
    if (start === undefined) return { damage: "no gzip header" };
    try {
      const { buffer: content, engine } = inflateRawSync(bytes.subarray(start), {
        info: true,
        maxOutputLength: maximumBytes,
      }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      const trailer = start + engine.bytesWritten;
      if (bytes.length - trailer < trailerBytes && !whole) continue;
      if (bytes.length - trailer < trailerBytes) return { damage: "the file ends within a member" };
      if (bytes.readUInt32LE(trailer) !== crc32(content)) return { damage: "the checksum does not fit" };
      return { content, end: offset + trailer + trailerBytes };
    } catch (error) {
      const needsMore = codeOf(error) === "Z_BUF_ERROR";
      if (!needsMore) return { damage: messageOf(error) };
      if (whole) return { damage: "the file ends within a member" };
      if (wanted >= maximumMemberBytes) return { long: true };
    }
  }
}

/** Bytes of a member's header (RFC 1952), or undefined where there is none. */
function headerLength(bytes: Buffer): number | undefined {
  if (bytes.length < 10 || !bytes.subarray(0, 3).equals(magic)) return undefined;
  const flags = bytes[3];
  let at = 10;
  if (flags & 4) {
    if (bytes.length < at + 2) return undefined;
    at += 2 + bytes.readUInt16LE(at);
  }
  for (const named of [8, 16]) {
    if (!(flags & named)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if (flags & 2) at += 2;
  return at < bytes.length ? at : undefined;
}

/** A file read by position; what was read last is kept. */
class FileWindow {
  private readonly descriptor: number;
  private start = 0;
  private bytes = Buffer.alloc(0);

  constructor(file: string) {
    this.descriptor = openSync(file, "r");
  }

  /** Up to `length` bytes from `offset`; fewer only at the end of the file. */
  at(offset: number, length: number): Buffer {
    const from = offset - this.start;
    if (from < 0 || from + length > this.bytes.length) {
      const bytes = Buffer.alloc(Math.max(length, 4 * firstReadBytes));
      let filled = 0;
      while (filled < bytes.length) {
        const read = readSync(this.descriptor, bytes, filled, bytes.length - filled, offset + filled);
        if (read === 0) break;
        filled += read;
      }
      this.start = offset;
      this.bytes = bytes.subarray(0, filled);
      return this.bytes.subarray(0, length);
    }
    return this.bytes.subarray(from, from + length);
  }

  /** Where `pattern` occurs next, or undefined. */
  find(pattern: Buffer, from: number): number | undefined {
    for (let offset = from; ; offset += firstReadBytes) {
      const bytes = this.at(offset, firstReadBytes + pattern.length);
      const found = bytes.indexOf(pattern);
      if (found >= 0) return offset + found;
      if (bytes.length < firstReadBytes + pattern.length) return undefined;
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
