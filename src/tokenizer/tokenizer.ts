/** What every tokenizer does, whatever its kind. */

export interface Tokenizer {
  readonly vocabularySize: number;
  /** The token that ends a document: `<|endoftext|>`, `[SEP]`, `</s>`, … */
  readonly endOfText: number;
  /** Ids of special tokens by their text. Ordinary text never yields one. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /**
   * Token ids of a text. Special tokens in it are ordinary characters unless `allowSpecial`; lone surrogates become
   * U+FFFD, as in every UTF-8 encoder.
   */
  encode(text: string, options?: { readonly allowSpecial?: boolean }): Int32Array;
  /** As `encode` for many texts, on several threads where the native kernels are there. */
  encodeBatch(texts: readonly string[], threads?: number): Int32Array[];
  /** The text of ids. Bytes that are not UTF-8 become U+FFFD. Throws RangeError for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  /** Decodes token by token; a character whose bytes are not complete yet is held back. */
  streamDecoder(): { push(id: number): string; end(): string };
  /** The text of `tokenizer.json`. */
  toJson(): string;
}

/** Splits a text at special tokens, longest name first; calls one of the two for every part in order. */
export function splitAtSpecial(
  text: string,
  specialTokens: ReadonlyMap<string, number>,
  special: (id: number) => void,
  ordinary: (part: string) => void,
): void {
  const names = [...specialTokens.keys()].filter((name) => name !== "").sort((a, b) => b.length - a.length);
  if (names.length === 0) {
    ordinary(text);
    return;
  }
  const escaped = names.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  for (const part of text.split(new RegExp(`(${escaped.join("|")})`, "u"))) {
    const id = specialTokens.get(part);
    if (id !== undefined) special(id);
    else if (part !== "") ordinary(part);
  }
}
