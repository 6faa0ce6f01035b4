/** What a model is measured against on the same held-out bytes. */
export { brotliBitsPerByte, gzipBitsPerByte } from "./compressors.ts";
export { NgramModel, shift, startKey } from "./ngram.ts";
