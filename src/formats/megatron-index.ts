/** The `.idx` file of a Megatron-LM shard (`megatron/core/datasets/indexed_dataset.py`): where each sequence lies. */
import { TilthError } from "../foundation/index.ts";

/** Token types that are read and written: code in the index, bytes per token. */
export const tokenTypes = {
  int32: { code: 4, bytes: 4 },
  uint16: { code: 8, bytes: 2 },
} as const;

export type TokenType = keyof typeof tokenTypes;

const magic = "MMIDIDX\0\0";
const headerBytes = 34;

/** What an index says. */
export interface MegatronIndex {
  readonly type: TokenType;
  /** Tokens of each sequence. */
  readonly sequenceLengths: Int32Array;
  /** First sequence of each document, then the number of sequences. */
  readonly documentStarts: Float64Array;
  /** Tokens in all. */
  readonly tokens: number;
}

/** Yields the bytes of an index in which every sequence is one document. */
export function* indexParts(type: TokenType, lengths: Int32Array): Generator<Uint8Array> {
  const header = Buffer.alloc(headerBytes);
  header.write(magic, "latin1");
  header.writeBigUInt64LE(1n, 9);
  header.writeUInt8(tokenTypes[type].code, 17);
  header.writeBigUInt64LE(BigInt(lengths.length), 18);
  header.writeBigUInt64LE(BigInt(lengths.length + 1), 26);
  yield header;
  yield new Uint8Array(lengths.buffer, lengths.byteOffset, lengths.byteLength);
  let pointer = 0;
  yield* integers(lengths.length, (i) => {
    const here = pointer;
    pointer += lengths[i] * tokenTypes[type].bytes;
    return here;
  });
  yield* integers(lengths.length + 1, (i) => i);
}

function* integers(count: number, value: (index: number) => number): Generator<Uint8Array> {
  const size = 1 << 16;
  for (let start = 0; start < count; start += size) {
    const part = Buffer.alloc(Math.min(size, count - start) * 8);
    for (let i = 0; i < part.byteLength / 8; i++) writeInteger(part, i * 8, value(start + i));
    yield part;
  }
}

function writeInteger(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readInteger(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

/** The error for a shard that is not what its name says. */
export function damagedShard(path: string, problem: string): TilthError {
  return new TilthError(`${path} is not a valid Megatron shard: ${problem}`, {
    remedy: "Run tokenization again, or copy both files of the shard (.bin and .idx) again.",
  });
}

/**
 * Parses and checks an index.
 * @param binBytes size of the `.bin` file, which must be what the lengths add up to
 * @throws TilthError naming the file, the value and what was expected
 */
export function parseIndex(path: string, bytes: Buffer, binBytes: number): MegatronIndex {
  if (bytes.byteLength < headerBytes || bytes.toString("latin1", 0, 9) !== magic) {
    throw damagedShard(path, `it does not begin with the ${headerBytes} bytes of a Megatron index header (MMIDIDX)`);
  }
  const version = bytes.readBigUInt64LE(9);
  if (version !== 1n) throw damagedShard(path, `its version is ${version}, 1 was expected`);
  const code = bytes.readUInt8(17);
  const type = (Object.keys(tokenTypes) as TokenType[]).find((name) => tokenTypes[name].code === code);
  if (type === undefined) {
    throw damagedShard(path, `its token type has code ${code}; 4 (int32) and 8 (uint16) can be read`);
  }
  const sequences = readInteger(bytes, 18);
  const boundaries = readInteger(bytes, 26);
  const expected = headerBytes + sequences * 12 + boundaries * 8;
  if (sequences < 0 || boundaries < 1 || bytes.byteLength !== expected) {
    throw damagedShard(
      path,
      `it has ${bytes.byteLength} bytes; ${sequences} sequences and ${boundaries} document indices take ${expected}`,
    );
  }

  const sequenceLengths = new Int32Array(sequences);
  let tokens = 0;
  for (let i = 0; i < sequences; i++) {
    const length = bytes.readInt32LE(headerBytes + i * 4);
    if (length < 0) throw damagedShard(path, `sequence ${i} has ${length} tokens`);
    const pointer = readInteger(bytes, headerBytes + sequences * 4 + i * 8);
    if (pointer !== tokens * tokenTypes[type].bytes) {
      throw damagedShard(
        path,
        `sequence ${i} begins at byte ${pointer}; it must follow the one before it, at ${tokens * tokenTypes[type].bytes}`,
      );
    }
    sequenceLengths[i] = length;
    tokens += length;
  }
  if (tokens * tokenTypes[type].bytes !== binBytes) {
    throw damagedShard(
      path,
      `its ${tokens} ${type} tokens take ${tokens * tokenTypes[type].bytes} bytes, the .bin file has ${binBytes}`,
    );
  }

  const documentStarts = new Float64Array(boundaries);
  for (let i = 0; i < boundaries; i++) {
    const start = readInteger(bytes, headerBytes + sequences * 12 + i * 8);
    const least = i === 0 ? 0 : documentStarts[i - 1];
    if (
      start < least ||
      start > sequences ||
      (i === 0 && start !== 0) ||
      (i === boundaries - 1 && start !== sequences)
    ) {
      throw damagedShard(
        path,
        `document index ${i} is ${start}; the indices must rise from 0 to ${sequences} (after ${least})`,
      );
    }
    documentStarts[i] = start;
  }
  return { type, sequenceLengths, documentStarts, tokens };
}
