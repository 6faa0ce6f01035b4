/** BERT's normalizer and pre-tokenizer, as Hugging Face's `BertNormalizer` and `BertPreTokenizer` have them. */
import { characterClass, characterClasses } from "./unicode-classes.ts";

/** What BERT does to a text before it is cut. */
export interface BertNormalization {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly handleChineseCharacters: boolean;
  readonly cleanText: boolean;
}

const chinese =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

function bits(character: string): number {
  return characterClasses()[character.codePointAt(0)!];
}

/** The normalised text. */
export function normalizeForBert(text: string, options: BertNormalization): string {
  let out = text;
  if (options.cleanText) out = cleaned(out);
  if (options.handleChineseCharacters) out = out.replace(chinese, " $& ");
  if (options.stripAccents) {
    out = out
      .normalize("NFD")
      .replace(/[^\0-\u02ff]/gu, (one) => (bits(one) & characterClass.nonspacingMark ? "" : one));
  }
  // Character by character, as Rust does: a final sigma is no special case.
  return options.lowercase ? out.replace(/Σ/g, "σ").toLowerCase() : out;
}

/** Control characters go, white space becomes a space. */
function cleaned(text: string): string {
  return text.replace(/[^!-~ ]/gu, (one) => {
    if (one === "\t" || one === "\n" || one === "\r") return " ";
    if (one === "\0" || one === "\ufffd" || bits(one) & characterClass.other) return "";
    return bits(one) & characterClass.space ? " " : one;
  });
}

/** The words of a normalised text: cut at white space, every punctuation mark by itself. */
export function bertWords(text: string): string[] {
  const words: string[] = [];
  let start = -1;
  let at = 0;
  for (const character of text) {
    const code = character.charCodeAt(0);
    const isSymbol =
      (code >= 33 && code <= 47) ||
      (code >= 58 && code <= 64) ||
      (code >= 91 && code <= 96) ||
      (code >= 123 && code <= 126);
    const one = bits(character);
    const isSpace = (one & characterClass.space) !== 0;
    if (isSpace || isSymbol || one & characterClass.punctuation) {
      if (start >= 0) words.push(text.slice(start, at));
      start = -1;
      if (!isSpace) words.push(character);
    } else if (start < 0) {
      start = at;
    }
    at += character.length;
  }
  if (start >= 0) words.push(text.slice(start));
  return words;
}
