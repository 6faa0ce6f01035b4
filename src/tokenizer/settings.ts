/** How a run's tokenizer is trained. */
import { z } from "zod";
import { settingsObject, type WorkOptions } from "../foundation/index.ts";
import { patternNames } from "./pre-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { trainBytePairEncoding } from "./train.ts";
import { trainWordPiece } from "./train-word-piece.ts";

export const tokenizerKinds = ["byte-pair", "word-piece"] as const;

export const tokenizerSettings = settingsObject("tokenizer", {
  kind: z.enum(tokenizerKinds).default("byte-pair").describe("byte-level BPE, or WordPiece as BERT has it"),
  vocabularySize: z.int().min(257).max(1_000_000).default(8192).describe("tokens, special ones included"),
  pattern: z.enum(patternNames).default("gpt2").describe("byte-pair: how text is cut before merging"),
  lowercase: z.boolean().default(true).describe("word-piece: without capitals and accents, as bert-base-uncased"),
});

export type TokenizerSettings = z.infer<typeof tokenizerSettings>;

/** WordPiece has BERT's names for what objectives ask for by RoBERTa's. */
const bertNames: Readonly<Record<string, string>> = { "<mask>": "[MASK]", "<pad>": "[PAD]" };

/** Trains a tokenizer of the settings' kind; `specialTokens` are those that the objective needs. */
export function trainTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  settings: TokenizerSettings,
  { specialTokens, ...work }: WorkOptions & { readonly specialTokens: readonly string[] },
): Promise<Tokenizer> {
  const { kind, vocabularySize, pattern, lowercase } = settings;
  if (kind === "byte-pair") {
    return trainBytePairEncoding(texts, {
      ...work,
      vocabularySize,
      pattern,
      specialTokens: ["<|endoftext|>", ...specialTokens],
    });
  }
  const further = specialTokens.filter((name) => !Object.hasOwn(bertNames, name));
  return trainWordPiece(texts, { ...work, vocabularySize, lowercase, specialTokens: further });
}
