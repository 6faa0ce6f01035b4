/** From bytes to text, strictly: what is not text, or not the encoding it claims, is rejected and says where. */
import { isUtf8 } from "node:buffer";
import type { Rejection } from "../document.ts";

/** Git looks this far for a NUL byte before it calls a file binary; so does this. */
const binaryProbeBytes = 8000;
/** Control characters other than tab, line breaks, form feed, backspace and escape; text has next to none. */
const maximumControlShare = 0.02;

/**
 * Decodes a file. UTF-8 is taken strictly, UTF-16 only with its byte order mark; a NUL byte near the start or many
 * control characters mean binary. Nothing is repaired: a replacement character would hide the damage from the report.
 */
export function decodeText(bytes: Uint8Array): { text: string } | { rejection: Rejection } {
  if (startsWith(bytes, [0xff, 0xfe, 0, 0]) || startsWith(bytes, [0, 0, 0xfe, 0xff])) {
    return rejected("encoding.utf32", "UTF-32", "UTF-8, or UTF-16 with a byte order mark");
  }
  if (startsWith(bytes, [0xff, 0xfe])) return decodeUtf16(bytes, "utf-16le");
  if (startsWith(bytes, [0xfe, 0xff])) return decodeUtf16(bytes, "utf-16be");
  const probe = bytes.subarray(0, binaryProbeBytes);
  const nul = probe.indexOf(0);
  if (nul >= 0) return rejected("encoding.binary", `NUL byte at offset ${nul}`, "text");
  const controlShare = probe.length === 0 ? 0 : countControls(probe) / probe.length;
  if (controlShare > maximumControlShare) {
    return rejected("encoding.binary", controlShare, `at most ${maximumControlShare} control characters per byte`);
  }
  if (!isUtf8(bytes)) {
    return rejected("encoding.utf8", `invalid byte at offset ${invalidUtf8Offset(bytes)}`, "valid UTF-8");
  }
  const withoutMark = startsWith(bytes, [0xef, 0xbb, 0xbf]) ? bytes.subarray(3) : bytes;
  return { text: Buffer.from(withoutMark.buffer, withoutMark.byteOffset, withoutMark.byteLength).toString("utf8") };
}

function decodeUtf16(
  bytes: Uint8Array,
  encoding: "utf-16le" | "utf-16be",
): { text: string } | { rejection: Rejection } {
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) };
  } catch {
    return rejected("encoding.utf16", invalidUtf16Offset(bytes, encoding), `valid ${encoding.toUpperCase()}`);
  }
}

function invalidUtf16Offset(bytes: Uint8Array, encoding: "utf-16le" | "utf-16be"): string {
  const high = encoding === "utf-16le" ? 1 : 0;
  const unitKind = (offset: number) => (offset + 1 < bytes.length ? bytes[offset + high] & 0xfc : 0);
  for (let offset = 0; offset + 1 < bytes.length; offset += 2) {
    if (unitKind(offset) === 0xdc) return `unpaired surrogate at offset ${offset}`;
    if (unitKind(offset) === 0xd8) {
      if (unitKind(offset + 2) !== 0xdc) return `unpaired surrogate at offset ${offset}`;
      offset += 2;
    }
  }
  return `half a code unit at offset ${bytes.length - 1}`;
}

/** The offset of the first byte at which `bytes` stops being UTF-8 (RFC 3629, table of well-formed sequences). */
export function invalidUtf8Offset(bytes: Uint8Array): number {
  let offset = 0;
  while (offset < bytes.length) {
    const first = bytes[offset];
    if (first < 0x80) {
      offset++;
      continue;
    }
    const length =
      first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (length === 0 || offset + length > bytes.length) return offset;
    // The second byte's range excludes over-long forms, surrogates and code points above U+10FFFF.
    const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (bytes[offset + 1] < lowest || bytes[offset + 1] > highest) return offset;
    for (let next = 2; next < length; next++) if ((bytes[offset + next] & 0xc0) !== 0x80) return offset;
    offset += length;
  }
  return offset;
}

function countControls(bytes: Uint8Array): number {
  let controls = 0;
  for (const byte of bytes) if (byte < 8 || (byte > 13 && byte < 32 && byte !== 27) || byte === 127) controls++;
  return controls;
}

function startsWith(bytes: Uint8Array, prefix: number[]): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, index) => bytes[index] === byte);
}

function rejected(rule: string, value: string | number, expected: string): { rejection: Rejection } {
  return { rejection: { stage: "read", rule, value, expected } };
}
