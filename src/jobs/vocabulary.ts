/** What an objective needs to know of a tokenizer. */
import type { Vocabulary } from "../objectives/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

/** The tokenizer's vocabulary; which tokens begin a word is told by their text in `tokenizer.json`. */
export function vocabularyOf(tokenizer: Tokenizer): Vocabulary {
  const { model } = JSON.parse(tokenizer.toJson()) as {
    model: { type: string; vocab: Readonly<Record<string, number>> };
  };
  const starts = new Uint8Array(tokenizer.vocabularySize);
  for (const [text, id] of Object.entries(model.vocab)) {
    // Ġ, Ċ, ĉ and č are a space, line feed, tab and carriage return in byte-level alphabets; a piece of a word goes on where its text begins with a letter or digit.
    starts[id] = Number(model.type === "WordPiece" ? !text.startsWith("##") : /^([ĠĊĉč]|[^\p{L}\p{N}])/u.test(text));
  }
  return {
    size: tokenizer.vocabularySize,
    endOfText: tokenizer.endOfText,
    specialTokens: tokenizer.specialTokens,
    startsWord: (id) => starts[id] === 1,
  };
}
