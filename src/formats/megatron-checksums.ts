/**
 * Checksums of a token shard, in `PREFIX.checksums.json` beside it: of the index as a whole, of the tokens block by block, so that
 * reading a shard checks what it reads and opening one costs nothing. Megatron's own shards have no such file and are read unchecked.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, TilthError, writeFileAtomically } from "../foundation/index.ts";

/** Bytes of `.bin` under one checksum: some 40 µs of work, once, when the first token of a block is read. */
export const checksumBlockBytes = 1 << 16;
/** Bytes of a block's checksum: the first of its SHA-256. */
const digestBytes = 8;

const checksumsFile = z.strictObject({
  blockBytes: z.int().positive(),
  /** SHA-256 of the index, hexadecimal. */
  index: z.string(),
  /** Of every block, one after the other, base64. */
  blocks: z.base64(),
});

const nameOf = (prefix: string) => `${prefix}.checksums.json`;
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest().subarray(0, digestBytes);
const sha256 = () => createHash("sha256");

/** Gathers a shard's checksums while it is written. */
export class ShardChecksums {
  private readonly blocks: Buffer[] = [];
  private readonly index = sha256();

  /** The next bytes of `.bin`: whole blocks, but for the last call. */
  addTokens(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.byteLength; start += checksumBlockBytes) {
      this.blocks.push(digestOf(bytes.subarray(start, start + checksumBlockBytes)));
    }
  }

  /** The next bytes of `.idx`. */
  addIndex(bytes: Uint8Array): void {
    this.index.update(bytes);
  }

  write(prefix: string): void {
    const file: z.infer<typeof checksumsFile> = {
      blockBytes: checksumBlockBytes,
      index: this.index.digest("hex"),
      blocks: Buffer.concat(this.blocks).toString("base64"),
    };
    writeFileAtomically(nameOf(prefix), `${JSON.stringify(file)}\n`);
  }
}

/** Checks blocks of an open shard, each when it is first asked for. */
export class ShardVerifier {
  private readonly verified: Uint8Array;

  private constructor(
    private readonly prefix: string,
    private readonly blockBytes: number,
    private readonly blocks: Buffer,
    private readonly binBytes: number,
  ) {
    this.verified = new Uint8Array(Math.ceil(binBytes / blockBytes));
  }

  /** Undefined where the shard has no checksums. Throws TilthError where the index does not agree with its own. */
  static open(prefix: string, indexBytes: Uint8Array, binBytes: number): ShardVerifier | undefined {
    const path = nameOf(prefix);
    if (!existsSync(path)) return undefined;
    let file: z.infer<typeof checksumsFile>;
    try {
      file = checksumsFile.parse(JSON.parse(readFileSync(path, "utf8")));
    } catch (cause) {
      throw damaged(path, messageOf(cause).split("\n")[0]);
    }
    const found = sha256().update(indexBytes).digest("hex");
    if (found !== file.index) throw damaged(`${prefix}.idx`, `its SHA-256 is ${found}, ${file.index} was expected`);
    const blocks = Buffer.from(file.blocks, "base64");
    if (blocks.byteLength !== Math.ceil(binBytes / file.blockBytes) * digestBytes) {
      throw damaged(
        path,
        `it has checksums of ${blocks.byteLength / digestBytes} blocks for ${binBytes} bytes of tokens`,
      );
    }
    return new ShardVerifier(prefix, file.blockBytes, blocks, binBytes);
  }

  /** Checks the blocks of `.bin` that hold these bytes. `read` returns bytes of the file. Throws TilthError where one differs. */
  verify(start: number, bytes: number, read: (start: number, bytes: number) => Uint8Array): void {
    const { blockBytes, verified } = this;
    for (let block = Math.floor(start / blockBytes); block * blockBytes < start + bytes; block++) {
      if (verified[block] === 1) continue;
      const first = block * blockBytes;
      const length = Math.min(blockBytes, this.binBytes - first);
      const found = digestOf(read(first, length));
      const expected = this.blocks.subarray(block * digestBytes, (block + 1) * digestBytes);
      if (!found.equals(expected)) {
        throw damaged(
          `${this.prefix}.bin`,
          `the checksum of bytes ${first} to ${first + length} is ${found.toString("hex")}, ${expected.toString("hex")} was expected`,
        );
      }
      verified[block] = 1;
    }
  }
}

function damaged(path: string, problem: string): TilthError {
  return new TilthError(`${path} is damaged: ${problem}`, {
    remedy:
      "Copy the shard again from where it is whole. A run makes its shards anew, the same, with: tilth train --resume <run> --rebuild-shards",
  });
}
