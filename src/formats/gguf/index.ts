/** GGUF, the format of llama.cpp. */
export { encodeTensor } from "./encode.ts";
export { GgufFile, type GgufRecord, readGguf } from "./read.ts";
export { type GgufType, type GgufValue, tensorTypes } from "./types.ts";
export { type GgufTensor, writeGguf } from "./write.ts";
