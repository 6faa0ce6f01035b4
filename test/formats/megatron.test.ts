import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { createMegatronWriter, openMegatronShard } from "../../src/formats/index.ts";
import { TilthError } from "../../src/foundation/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-megatron-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const prefix = join(folder, "shard");

function write(documents: ArrayLike<number>[], vocabularySize = 65_536): void {
  const writer = createMegatronWriter(prefix, vocabularySize);
  for (const ids of documents) writer.add(ids);
  writer.finish();
}

describe("writing", () => {
  test("has the exact bytes of Megatron-LM's IndexedDatasetBuilder", () => {
    write([[1, 65_535], [], [258]]);
    expect(readFileSync(`${prefix}.bin`).toString("hex")).toBe("0100ffff0201");
    expect(readFileSync(`${prefix}.idx`).toString("hex")).toBe(
      [
        "4d4d494449445800" + "00",
        "0100000000000000",
        "08",
        "0300000000000000",
        "0400000000000000",
        "02000000" + "00000000" + "01000000",
        "0000000000000000" + "0400000000000000" + "0400000000000000",
        "0000000000000000" + "0100000000000000" + "0200000000000000" + "0300000000000000",
      ].join(""),
    );
    write([[65_536]], 65_537);
    expect(readFileSync(`${prefix}.bin`).toString("hex")).toBe("00000100");
    expect(readFileSync(`${prefix}.idx`)[17]).toBe(4);
    expect(readdirSync(folder).sort()).toEqual(["shard.bin", "shard.checksums.json", "shard.idx"]);
  });

  test("gives back any documents, by document and by range", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(99_999), { maxLength: 20 }), { maxLength: 10 }),
        fc.constantFrom(65_536, 100_000),
        (documents, size) => {
          const fitting = documents.map((ids) => ids.map((id) => id % size));
          write(fitting, size);
          const shard = openMegatronShard(prefix);
          expect(shard.documents).toBe(fitting.length);
          expect([...shard.lengths]).toEqual(fitting.map((ids) => ids.length));
          for (const [index, ids] of fitting.entries()) expect([...shard.read(index)]).toEqual(ids);
          const all = fitting.flat();
          expect(shard.tokens).toBe(all.length);
          const start = all.length >> 1;
          expect([...shard.readRange(start, all.length - start)]).toEqual(all.slice(start));
          expect(() => shard.readRange(start, all.length - start + 1)).toThrow(/the shard has/);
          expect(() => shard.read(fitting.length)).toThrow(/no document/);
          shard.close();
          expect(() => shard.readRange(0, 0)).toThrow(/closed/);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("writes more than its buffer holds", () => {
    const long = Uint16Array.from({ length: 700_001 }, (_, i) => (i * 7919) % 65_536);
    write([[5], long]);
    const shard = openMegatronShard(prefix);
    expect(Buffer.from(shard.read(1).buffer).equals(Buffer.from(Int32Array.from(long).buffer))).toBe(true);
    shard.close();
  });

  test("shows nothing before the end, nothing after abort, and refuses strange ids", () => {
    write([[1]]);
    const before = readFileSync(`${prefix}.idx`);
    const writer = createMegatronWriter(prefix, 10);
    writer.add([1, 2]);
    expect(readFileSync(`${prefix}.idx`)).toEqual(before);
    for (const id of [10, -1, 0.5, Number.NaN]) {
      const bad = createMegatronWriter(prefix, 10);
      expect(() => bad.add([0, id])).toThrow(/at 1; the vocabulary has 10 tokens/);
    }
    writer.abort();
    writer.abort();
    expect(() => writer.add([1])).toThrow(/already finished or aborted/);
    expect(readdirSync(folder).sort()).toEqual(["shard.bin", "shard.checksums.json", "shard.idx"]);
  });
});

describe("damage", () => {
  function damage(change: (index: Buffer) => Buffer | undefined, message: RegExp): void {
    write([[1, 2], [3]]);
    const index = readFileSync(`${prefix}.idx`);
    writeFileSync(`${prefix}.idx`, change(index) ?? index);
    expect(() => openMegatronShard(prefix)).toThrow(message);
  }

  test("is named", () => {
    damage((index) => index.fill(0, 0, 3), /MMIDIDX/);
    damage((index) => index.subarray(0, 20), /34 bytes/);
    damage((index) => void index.writeUInt8(2, 9), /version is 2, 1 was expected/);
    damage((index) => void index.writeUInt8(5, 17), /code 5; 4 \(int32\) and 8/);
    damage((index) => index.subarray(0, -1), /2 sequences and 3 document indices take/);
    damage((index) => void index.writeInt32LE(-2, 34), /sequence 0 has -2 tokens/);
    damage((index) => void index.writeInt32LE(3, 34), /sequence 1 begins at byte 4/);
    damage((index) => void index.writeInt32LE(2, 38), /4 uint16 tokens take 8 bytes, the .bin file has 6/);
    damage((index) => void index.writeInt32LE(9, index.length - 8), /document index 2 is 9/);
  });

  test("a missing file is named", () => {
    write([[1]]);
    rmSync(`${prefix}.idx`);
    expect(() => openMegatronShard(prefix)).toThrow(/no file .*shard\.idx/);
  });

  test("no bytes make it fail otherwise than by TilthError", () => {
    write([[1, 2], [3]]);
    const good = readFileSync(`${prefix}.idx`);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bytes = Buffer.from(good);
        bytes[at] = value;
        writeFileSync(`${prefix}.idx`, bytes.subarray(0, length));
        try {
          openMegatronShard(prefix).close();
        } catch (error) {
          expect(error).toBeInstanceOf(TilthError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("checksums", () => {
  const tokens = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 65_536);
  const flip = (file: string, byte: number) => {
    const bytes = readFileSync(file);
    bytes[byte] ^= 4;
    writeFileSync(file, bytes);
  };

  test("a flipped bit is found when its block is read, not before, and named", () => {
    write([tokens]);
    // In the third block of 64 KiB, where token 70,000 lies.
    flip(`${prefix}.bin`, 140_000);
    const shard = openMegatronShard(prefix);
    expect([...shard.readRange(0, 65_536)]).toEqual(tokens.slice(0, 65_536));
    expect(() => shard.readRange(65_530, 10)).toThrow(
      /shard\.bin is damaged: the checksum of bytes 131072 to 196608 is [0-9a-f]{16}, [0-9a-f]{16} was expected/,
    );
    expect([...shard.readRange(99_990, 10)]).toEqual(tokens.slice(99_990));
    shard.close();
  });

  test("every bit of a small shard and of its index counts", () => {
    write([[1, 2, 3], [4]]);
    for (const name of ["bin", "idx"]) {
      const whole = readFileSync(`${prefix}.${name}`);
      for (let bit = 0; bit < whole.byteLength * 8; bit++) {
        const damaged = Buffer.from(whole);
        damaged[bit >> 3] ^= 1 << (bit & 7);
        writeFileSync(`${prefix}.${name}`, damaged);
        expect(() => {
          const shard = openMegatronShard(prefix);
          try {
            shard.readRange(0, shard.tokens);
          } finally {
            shard.close();
          }
        }, `${name}, bit ${bit}`).toThrow(TilthError);
      }
      writeFileSync(`${prefix}.${name}`, whole);
    }
  });

  test("a shard without checksums, as Megatron writes it, is read", () => {
    write([tokens]);
    rmSync(`${prefix}.checksums.json`);
    const shard = openMegatronShard(prefix);
    expect(shard.readRange(99_999, 1)[0]).toBe(tokens[99_999]);
    shard.close();
  });

  test("damaged checksums are named", () => {
    write([tokens]);
    writeFileSync(`${prefix}.checksums.json`, "{}");
    expect(() => openMegatronShard(prefix)).toThrow(/shard\.checksums\.json is damaged/);
  });
});
