import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from "../../src/formats/index.ts";
import { TilthError } from "../../src/foundation/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "t.safetensors");

function writeRaw(header: string | Uint8Array, data: Uint8Array = new Uint8Array(), length?: bigint): void {
  const bytes = Buffer.from(header as string);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(bytes.byteLength));
  writeFileSync(file, Buffer.concat([size, bytes, data]));
}

function open(): void {
  readSafetensors(file).close();
}

describe("writing and reading", () => {
  const entries: SafetensorsEntry[] = [
    { name: "bytes", shape: [3], type: "U8", data: new Uint8Array([1, 2, 255]) },
    { name: "10", shape: [2, 2], type: "F32", data: new Float32Array([1.5, -0, Number.NaN, 3e38]) },
    { name: "__proto__", shape: [], type: "I64", data: new BigInt64Array([-(2n ** 63n)]) },
    { name: "empty", shape: [0, 7], type: "I32", data: new Int32Array() },
    { name: "half", shape: [6], type: "F16", data: new Uint16Array([0x3c00, 0x8000, 0x0001, 0x7bff, 0xfc00, 0x7e00]) },
    { name: "brain", shape: [3], type: "BF16", data: new Uint16Array([0x3f80, 0xc049, 0xff80]) },
  ];

  test("gives back what was written, without leftovers", () => {
    writeSafetensors(file, entries, { format: "pt" });
    const read = readSafetensors(file);
    expect([...read.names].sort()).toEqual(entries.map((entry) => entry.name).sort());
    expect(read.metadata).toEqual({ format: "pt" });
    for (const entry of entries) expect(read.raw(entry.name)).toEqual(entry);
    expect(read.floats("10").data).toEqual(new Float32Array([1.5, -0, Number.NaN, 3e38]));
    expect([...read.floats("half").data]).toEqual([1, -0, 2 ** -24, 65504, Number.NEGATIVE_INFINITY, Number.NaN]);
    expect([...read.floats("brain").data]).toEqual([1, -3.140625, Number.NEGATIVE_INFINITY]);
    expect(() => read.floats("bytes")).toThrow(/U8; F32, F16 or BF16 was expected/);
    expect(() => read.raw("absent")).toThrow(/no tensor "absent"/);
    read.close();
    expect(() => read.raw("10")).toThrow(/closed/);
    expect(readdirSync(folder)).toEqual(["t.safetensors"]);
  });

  test("pads the header to 8 bytes and writes a part of a buffer only", () => {
    const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    writeSafetensors(file, [{ name: "a", shape: [2], type: "F32", data }]);
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    expect(
      bytes
        .subarray(8, 8 + length)
        .toString()
        .trimEnd(),
    ).toBe('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]);
  });

  test("refuses data that does not fit, and names twice, and keeps the old file", () => {
    const before = readFileSync(file);
    const one: SafetensorsEntry = { name: "a", shape: [3], type: "F32", data: new Float32Array(2) };
    expect(() => writeSafetensors(file, [one])).toThrow(/Float32Array of 2; F32 of shape \[3\]/);
    expect(() => writeSafetensors(file, [{ ...one, type: "I32" }])).toThrow(TilthError);
    const good = { ...one, shape: [2] };
    expect(() => writeSafetensors(file, [good, good])).toThrow(/twice/);
    expect(readFileSync(file)).toEqual(before);
  });
});

describe("damage", () => {
  const tensor = (begin: number, end: number, shape = [end - begin]) =>
    JSON.stringify({ dtype: "U8", shape, data_offsets: [begin, end] });

  test.each<[string, () => void, RegExp]>([
    ["short file", () => writeFileSync(file, "abc"), /3 bytes/],
    ["length beyond the file", () => writeRaw("{}", undefined, 3n), /3 bytes; at most 2/],
    ["absurd length", () => writeRaw("{}", undefined, 2n ** 64n - 1n), /18446744073709551615 bytes/],
    ["not JSON", () => writeRaw("{x}"), /not JSON/],
    ["not UTF-8", () => writeRaw(new Uint8Array([123, 34, 255, 34, 58, 49, 125])), /not JSON in UTF-8/],
    ["not an object", () => writeRaw("[]"), /not a JSON object/],
    ["key twice", () => writeRaw(`{"a":${tensor(0, 0)},"\\u0061":${tensor(0, 0)}}`), /"a" twice/],
    ["inner key twice", () => writeRaw('{"a":{"dtype":"U8","dtype":"U8"}}'), /"dtype" twice/],
    ["metadata number", () => writeRaw('{"__metadata__":{"a":1}}'), /"a" is 1, not a string/],
    ["unknown type", () => writeRaw(tensorLine('"F7"')), /type "F7"; known are/],
    ["type from the prototype", () => writeRaw(tensorLine('"toString"')), /type "toString"/],
    ["negative size", () => writeRaw(`{"a":${tensor(0, 1, [-1])}}`, new Uint8Array(1)), /shape \[-1\]/],
    ["size mismatch", () => writeRaw(`{"a":${tensor(0, 2, [3])}}`, new Uint8Array(2)), /2 bytes, but U8 .* takes 3/],
    ["hole", () => writeRaw(`{"a":${tensor(1, 2)}}`, new Uint8Array(2)), /byte 1 instead of 0: it leaves a hole/],
    ["overlap", () => writeRaw(`{"a":${tensor(0, 2)},"b":${tensor(1, 3)}}`, new Uint8Array(3)), /overlaps/],
    ["truncated", () => writeRaw(`{"a":${tensor(0, 2)}}`, new Uint8Array(1)), /truncated/],
    ["left over", () => writeRaw(`{"a":${tensor(0, 2)}}`, new Uint8Array(3)), /left over/],
  ])("%s is named", (_name, write, message) => {
    write();
    expect(open).toThrow(message);
    expect(open).toThrow(TilthError);
  });

  test("a missing file and a folder are named", () => {
    expect(() => readSafetensors(join(folder, "none"))).toThrow(/does not exist/);
    expect(() => readSafetensors(folder)).toThrow(TilthError);
  });

  test("no bytes make it fail otherwise than by TilthError", () => {
    writeSafetensors(file, [{ name: "a", shape: [2], type: "F32", data: new Float32Array(2) }], { k: "v" });
    const good = readFileSync(file);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(good.length),
        (changes, length) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(file, bytes.subarray(0, length));
          try {
            const read = readSafetensors(file);
            for (const name of read.names) read.raw(name);
            read.close();
          } catch (error) {
            expect(error).toBeInstanceOf(TilthError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

function tensorLine(type: string): string {
  return `{"a":{"dtype":${type},"shape":[],"data_offsets":[0,0]}}`;
}
