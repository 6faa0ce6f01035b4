/** Bytes of a file as a stream, decompressed by its name, and the lines in it; a chunk at a time in memory. */
import { createReadStream } from "node:fs";
import { pipeline, type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { Decompress } from "fzstd";

/** Compression suffixes that are looked through: `data.jsonl.gz` is JSON lines. */
export const compressions = ["", ".gz", ".zst"] as const;

const chunkBytes = 1 << 18;

/** The bytes of `file`, decompressed where its name ends in `.gz` or `.zst`. The stream fails on damaged data. */
export function openBytes(file: string): Readable {
  const input = createReadStream(file, { highWaterMark: chunkBytes });
  const decompressor = file.endsWith(".gz")
    ? createGunzip({ chunkSize: chunkBytes })
    : file.endsWith(".zst")
      ? zstdDecompressor()
      : undefined;
  if (decompressor === undefined) return input;
  // The error reaches whoever iterates over the decompressor.
  return pipeline(input, decompressor, () => {});
}

function zstdDecompressor(): Transform {
  let stream: Transform;
  const decompress = new Decompress((chunk) => {
    if (chunk.byteLength > 0) stream.push(Buffer.from(chunk));
  });
  const attempt = (chunk: Uint8Array, last: boolean, done: (error?: Error) => void) => {
    try {
      decompress.push(chunk, last);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  };
  stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => attempt(new Uint8Array(chunk), false, done),
    flush: (done) => attempt(new Uint8Array(0), true, done),
  });
  return stream;
}

/** A line of bytes, or a line that is longer than was allowed: its bytes are not kept. */
export type Line = { readonly bytes: Buffer } | { readonly tooLong: number };

/** The lines of a stream, without their line breaks. A line above `maximumBytes` is counted, not held. */
export async function* linesOf(stream: AsyncIterable<Buffer>, maximumBytes: number): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let length = 0;
  const take = (): Line => {
    const line =
      length > maximumBytes ? { tooLong: length } : { bytes: pieces.length === 1 ? pieces[0] : Buffer.concat(pieces) };
    pieces = [];
    length = 0;
    return line;
  };
  const add = (piece: Buffer) => {
    length += piece.length;
    if (length <= maximumBytes) pieces.push(piece);
    else pieces = [];
  };
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10, from); end >= 0; end = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) add(Buffer.from(chunk.subarray(from)));
  }
  if (length > 0) yield take();
}
