/** Training of WordPiece for BERT, as Hugging Face's trainer does it: byte-pair merges over characters, "##" inside words. */
import { InterruptedError, UsageError, type WorkOptions } from "../foundation/index.ts";
import { type BertNormalization, bertWords, normalizeForBert } from "./bert-text.ts";
import { packPieces } from "./count-pieces.ts";
import { mergePairs } from "./merge-pairs.ts";
import { prepareTokenizerKernels } from "./native.ts";
import { bertSpecialTokens, WordPieceTokenizer } from "./word-piece.ts";

export interface WordPieceTrainingOptions extends WorkOptions {
  readonly vocabularySize: number;
  /** Further special tokens, after BERT's five. */
  readonly specialTokens?: readonly string[];
  /** Default: uncased, as `bert-base-uncased`. */
  readonly lowercase?: boolean;
  /** Characters that get a token at most, the most frequent first. Default 1,000. */
  readonly alphabetLimit?: number;
  readonly maximumDistinctWords?: number;
  readonly minimumFrequency?: number;
}

/**
 * Trains a tokenizer. Hugging Face numbers the pieces of one character inside words in the order of a hash map; here they
 * follow the words from the most frequent one, so that equal counts are decided the same way every time.
 */
export async function trainWordPiece(
  texts: Iterable<string> | AsyncIterable<string>,
  options: WordPieceTrainingOptions,
): Promise<WordPieceTokenizer> {
  const { lowercase = true, alphabetLimit = 1000, minimumFrequency = 2 } = options;
  const normalization = { lowercase, stripAccents: lowercase, handleChineseCharacters: true, cleanText: true };
  await prepareTokenizerKernels();
  const { bytes, offsets, counts } = packPieces(await countWords(texts, normalization, options));
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = Array.from(counts, (_, i) => [...whole.toString("utf8", Number(offsets[i]), Number(offsets[i + 1]))]);

  const tokens = [...bertSpecialTokens, ...(options.specialTokens ?? [])];
  const specialTokens = new Map(tokens.map((token, id) => [token, id]));
  const ids = new Map(specialTokens);
  const idOf = (token: string) => {
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    return id;
  };
  const alphabet = alphabetOf(words, counts, alphabetLimit);
  for (const character of alphabet) idOf(character);
  const known = new Set(alphabet);
  const symbols: number[] = [];
  const starts = new BigInt64Array(words.length + 1);
  for (const [index, word] of words.entries()) {
    word.forEach((character, place) => {
      if (known.has(character)) symbols.push(idOf(place === 0 ? character : `##${character}`));
    });
    starts[index + 1] = BigInt(symbols.length);
  }
  if (options.vocabularySize < tokens.length) {
    throw new UsageError(
      `a vocabulary of ${options.vocabularySize} is too small: ${tokens.length} tokens are characters and special tokens`,
      { remedy: "Raise the vocabulary, or lower the limit of the alphabet." },
    );
  }
  const spelled: Uint8Array[] = tokens.map((token) => Buffer.from(token));
  mergePairs({ symbols: Int32Array.from(symbols), starts, counts }, spelled, {
    ...options,
    minimumFrequency,
    prefixBytes: 2,
  });
  return new WordPieceTokenizer({
    tokens: spelled.map((token) => Buffer.from(token).toString()),
    specialTokens,
    normalization,
  });
}

/** The most frequent characters, in the order of their code points. */
function alphabetOf(words: readonly string[][], counts: Float64Array, limit: number): string[] {
  const frequencies = new Map<string, number>();
  for (const [index, word] of words.entries()) {
    for (const one of word) frequencies.set(one, (frequencies.get(one) ?? 0) + counts[index]);
  }
  const place = (character: string) => character.codePointAt(0)!;
  return [...frequencies]
    .sort(([a, x], [b, y]) => y - x || place(a) - place(b))
    .slice(0, limit)
    .map(([character]) => character)
    .sort((a, b) => place(a) - place(b));
}

async function countWords(
  texts: Iterable<string> | AsyncIterable<string>,
  normalization: BertNormalization,
  options: WordPieceTrainingOptions,
): Promise<Map<string, number>> {
  const limit = options.maximumDistinctWords ?? 2_000_000;
  let counts = new Map<string, number>();
  let done = 0;
  for await (const text of texts) {
    if (options.signal?.aborted) throw new InterruptedError("tokenizer training was stopped; nothing was written");
    for (const word of bertWords(normalizeForBert(text, normalization))) counts.set(word, (counts.get(word) ?? 0) + 1);
    if (counts.size > limit) {
      const sorted = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
      counts = new Map(sorted.slice(0, limit >> 1));
    }
    done += text.length;
    options.onProgress?.({ stage: "counting words", done, unit: "characters" });
  }
  return counts;
}
