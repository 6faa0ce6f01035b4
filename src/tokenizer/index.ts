/** Tokenizers: byte-level BPE and WordPiece of our own, every other family by a library; training, `tokenizer.json`. */
export { type BytePairDefinition, BytePairTokenizer } from "./byte-pair.ts";
export { specialTokenIds, specialTokensMapJson, tokenizerConfigJson, toTokenizerJson } from "./configuration.ts";
export { basePieces, type ExtensionOptions, extendTokenizer } from "./extend.ts";
export { prepareTokenizerKernels } from "./native.ts";
export { type PatternName, patternNames, piecesOf } from "./pre-tokenizer.ts";
export { parseTiktoken, parseTokenizerJson, readTokenizerJson } from "./read.ts";
export {
  type TokenizerSettings,
  tokenizerKinds,
  tokenizerSettings,
  trainTokenizer,
} from "./settings.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { type BytePairTrainingOptions, trainBytePairEncoding } from "./train.ts";
export { trainWordPiece, type WordPieceTrainingOptions } from "./train-word-piece.ts";
export { bertSpecialTokens, WordPieceTokenizer } from "./word-piece.ts";
