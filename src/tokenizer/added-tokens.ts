/** The entries of `added_tokens` in a `tokenizer.json`: special tokens, found as they stand. */
export function addedTokens(specialTokens: ReadonlyMap<string, number>) {
  return [...specialTokens].map(([content, id]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
}
