/** The entries of `added_tokens` in a `tokenizer.json`: special tokens, found as they stand. */
export function addedTokens(specialTokens: ReadonlyMap<string, number>) {
  return [...specialTokens].map(([content, id]) => ({
    id,
    content,
    single_word: false,
    // The space before a word is the word's own in byte-level BPE: a mask stands for both, as RoBERTa's does.
    lstrip: content === "<mask>",
    rstrip: false,
    normalized: false,
    special: true,
  }));
}
