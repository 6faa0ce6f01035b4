/** Byte-level BPE: training, encoding, `tokenizer.json`. */
export { parseTokenizerJson, readTokenizerJson, tokenizerConfigJson, toTokenizerJson } from "./huggingface.ts";
export { type PatternName, piecesOf } from "./pre-tokenizer.ts";
export { Tokenizer, type TokenizerDefinition } from "./tokenizer.ts";
export { type BytePairTrainingOptions, trainBytePairEncoding } from "./train.ts";
