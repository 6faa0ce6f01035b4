/** General compressors on the held-out bytes: what a model must beat to have learned anything. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Bits a byte of `gzip -9` over all documents in one stream, which favours gzip: it may look back across documents. */
export function gzipBitsPerByte(documents: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(documents);
  return (gzipSync(bytes, { level: 9 }).length * 8) / bytes.length;
}

/** Bits a byte of brotli at quality 11 with its largest standard window over all documents in one stream. */
export function brotliBitsPerByte(documents: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(documents);
  const compressed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    },
  });
  return (compressed.length * 8) / bytes.length;
}
