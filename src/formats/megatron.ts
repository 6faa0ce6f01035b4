/**
 * Token shards as Megatron-LM reads and writes them: `PREFIX.bin` holds the tokens, `PREFIX.idx` where each document lies. Those
 * that are written here have checksums beside them, which reading checks.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import {
  describeWriteError,
  messageOf,
  syncFolder,
  TilthError,
  temporaryNameFor,
  withTemporaryFile,
  writeFully,
} from "../foundation/index.ts";
import { ShardChecksums, ShardVerifier } from "./megatron-checksums.ts";
import { damagedShard, indexParts, parseIndex, type TokenType, tokenTypes } from "./megatron-index.ts";

/** Writes a shard document by document; nothing appears under its name before `finish`. */
export interface MegatronWriter {
  /** Appends a document. Throws TilthError where an id is outside the vocabulary. */
  add(ids: ArrayLike<number>): void;
  /** Publishes the shard: `.bin` first, `.idx` last, so that a shard with an index is whole. */
  finish(): void;
  /** Removes what was written; does nothing after `finish`. */
  abort(): void;
}

const bufferedTokens = 1 << 18;

/** Opens a writer for `prefix.bin` and `prefix.idx`; tokens take 2 bytes up to a vocabulary of 65,536, else 4. */
export function createMegatronWriter(prefix: string, vocabularySize: number): MegatronWriter {
  const type: TokenType = vocabularySize <= 65_536 ? "uint16" : "int32";
  const temporary = temporaryNameFor(`${prefix}.bin`);
  const buffer = type === "uint16" ? new Uint16Array(bufferedTokens) : new Int32Array(bufferedTokens);
  let used = 0;
  let lengths = new Int32Array(1024);
  let documents = 0;
  const checksums = new ShardChecksums();
  let descriptor: number | undefined;

  function guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      abort();
      throw describeWriteError(error, `${prefix}.bin`);
    }
  }

  function output(): number {
    if (descriptor === undefined) throw new TilthError(`${prefix}: the shard's writer is already finished or aborted`);
    return descriptor;
  }

  function flush(): void {
    const bytes = new Uint8Array(buffer.buffer, 0, used * buffer.BYTES_PER_ELEMENT);
    writeFully(output(), bytes);
    checksums.addTokens(bytes);
    used = 0;
  }

  function abort(): void {
    if (descriptor === undefined) return;
    closeSync(descriptor);
    descriptor = undefined;
    rmSync(temporary, { force: true });
  }

  guarded(() => {
    mkdirSync(dirname(prefix), { recursive: true });
    descriptor = openSync(temporary, "w");
  });

  return {
    abort,
    add(ids) {
      output();
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i];
        if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
          abort();
          throw new TilthError(
            `${prefix}: document ${documents} has the token id ${id} at ${i}; the vocabulary has ${vocabularySize} tokens`,
          );
        }
        if (used === bufferedTokens) guarded(flush);
        buffer[used++] = id;
      }
      if (documents === lengths.length) {
        const longer = new Int32Array(documents * 2);
        longer.set(lengths);
        lengths = longer;
      }
      lengths[documents++] = ids.length;
    },
    finish() {
      guarded(() => {
        flush();
        fsyncSync(output());
        // An old index must never stand beside new tokens.
        rmSync(`${prefix}.idx`, { force: true });
        const index = () => indexParts(type, lengths.subarray(0, documents));
        for (const part of index()) checksums.addIndex(part);
        checksums.write(prefix);
        renameSync(temporary, `${prefix}.bin`);
        syncFolder(dirname(prefix));
        closeSync(output());
        descriptor = undefined;
        withTemporaryFile(`${prefix}.idx`, (file) => {
          for (const part of index()) writeFully(file, part);
        });
      });
    },
  };
}

/** An open shard. */
export interface MegatronShard {
  readonly documents: number;
  /** Tokens of all documents. */
  readonly tokens: number;
  /** Tokens of each document. */
  readonly lengths: Int32Array;
  /** Tokens of one document; throws TilthError where there is none of that index. */
  read(documentIndex: number): Int32Array;
  /** `count` tokens from `tokenOffset` on, across documents; throws TilthError beyond the end. */
  readRange(tokenOffset: number, count: number): Int32Array;
  close(): void;
}

/**
 * Opens a shard and checks its index against its tokens. Tokens are read when asked for; the page cache of the operating
 * system keeps them, shared by all processes.
 * @param prefix path without `.bin`/`.idx`
 * @throws TilthError where a file is missing or damaged, saying how
 */
export function openMegatronShard(prefix: string): MegatronShard {
  const binPath = `${prefix}.bin`;
  const indexPath = `${prefix}.idx`;
  for (const path of [binPath, indexPath]) {
    if (!existsSync(path) || !statSync(path).isFile()) {
      throw new TilthError(`the token shard ${prefix} is incomplete: there is no file ${path}`, {
        remedy: "Run tokenization again, or give the path without .bin and .idx.",
      });
    }
  }
  let descriptor: number | undefined;
  try {
    descriptor = openSync(binPath, "r");
    return shardOf(prefix, descriptor, readFileSync(indexPath));
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    if (error instanceof TilthError) throw error;
    throw new TilthError(`the token shard ${prefix} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function shardOf(prefix: string, descriptor: number, indexBytes: Buffer): MegatronShard {
  const index = parseIndex(`${prefix}.idx`, indexBytes, fstatSync(descriptor).size);
  const { type, sequenceLengths, documentStarts, tokens } = index;
  const { bytes: tokenBytes } = tokenTypes[type];
  const documents = documentStarts.length - 1;
  const lengths = new Int32Array(documents);
  const offsets = new Float64Array(documents + 1);
  for (let i = 0; i < documents; i++) {
    for (let s = documentStarts[i]; s < documentStarts[i + 1]; s++) lengths[i] += sequenceLengths[s];
    offsets[i + 1] = offsets[i] + lengths[i];
  }
  let open: number | undefined = descriptor;
  const verifier = ShardVerifier.open(prefix, indexBytes, fstatSync(descriptor).size);

  function readBytes(start: number, count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const read = readSync(open!, bytes, done, Math.min(count - done, 1 << 30), start + done);
      if (read === 0) throw damagedShard(`${prefix}.bin`, "it became shorter while it was being read");
      done += read;
    }
    return bytes;
  }

  function readRange(tokenOffset: number, count: number): Int32Array {
    if (open === undefined) throw new TilthError(`the token shard ${prefix} was read after it was closed`);
    if (!(Number.isInteger(tokenOffset) && Number.isInteger(count) && tokenOffset >= 0 && count >= 0)) {
      throw new TilthError(`${prefix}: ${count} tokens from ${tokenOffset} is not a range`);
    }
    if (tokenOffset + count > tokens) {
      throw new TilthError(`${prefix}: ${count} tokens from ${tokenOffset} were asked for; the shard has ${tokens}`);
    }
    verifier?.verify(tokenOffset * tokenBytes, count * tokenBytes, readBytes);
    const bytes = readBytes(tokenOffset * tokenBytes, count * tokenBytes);
    return type === "int32" ? new Int32Array(bytes.buffer) : Int32Array.from(new Uint16Array(bytes.buffer));
  }

  return {
    documents,
    tokens,
    lengths,
    readRange,
    read(documentIndex) {
      if (!Number.isInteger(documentIndex) || documentIndex < 0 || documentIndex >= documents) {
        throw new TilthError(`${prefix} has no document ${documentIndex}; it has ${documents}`);
      }
      return readRange(offsets[documentIndex], lengths[documentIndex]);
    },
    close() {
      if (open !== undefined) closeSync(open);
      open = undefined;
    },
  };
}
