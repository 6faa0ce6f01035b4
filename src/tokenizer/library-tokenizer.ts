/** Tokenizers of the other families (SentencePiece's Unigram, BPE with byte fallback, …) by Hugging Face's own JavaScript. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { messageOf, TilthError } from "../foundation/index.ts";
import { endOfTextNames } from "./byte-pair.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Throws TilthError where the library does not know the kind, or where no special token ends a document. */
export function libraryTokenizer(json: unknown, settings: unknown, name: string, endOfText?: string): Tokenizer {
  let library: HuggingFaceTokenizer;
  try {
    library = new HuggingFaceTokenizer(json as object, (settings ?? {}) as object);
  } catch (cause) {
    throw new TilthError(`${name} cannot be read: ${messageOf(cause)}`, {
      remedy: "Tilth reads BPE, WordPiece and Unigram tokenizers as Hugging Face's tokenizers writes them.",
      cause,
    });
  }
  const added = [...library.get_added_tokens_decoder()];
  const specialTokens = new Map(added.filter(([, token]) => token.special).map(([id, token]) => [token.content, id]));
  const ending = [endOfText ?? "", ...endOfTextNames].find((one) => specialTokens.has(one));
  if (ending === undefined) {
    throw new TilthError(`${name}: no special token ends a document (looked for ${endOfTextNames.join(", ")})`, {
      remedy: 'Name it as "eos_token" in the tokenizer_config.json beside it.',
    });
  }
  const vocabularySize = library.get_vocab(true).size;
  const decode = (ids: ArrayLike<number>): string => {
    const list = Array.from(ids);
    // The library takes no empty list.
    if (list.length === 0) return "";
    const outside = list.find((id) => id < 0 || id >= vocabularySize);
    if (outside !== undefined) throw new RangeError(`token ${outside} is outside a vocabulary of ${vocabularySize}`);
    return library.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  };
  const encode = (text: string, options: { readonly allowSpecial?: boolean } = {}): Int32Array => {
    if (!options.allowSpecial) {
      const special = [...specialTokens.keys()].find((one) => one !== "" && text.includes(one));
      if (special !== undefined) {
        throw new TilthError(
          `the text holds the special token ${special}, which this kind of tokenizer cannot take as text`,
          {
            remedy: "Allow special tokens, or remove it from the text.",
          },
        );
      }
    }
    return Int32Array.from(library.encode(text, { add_special_tokens: false }).ids);
  };
  return {
    vocabularySize,
    endOfText: specialTokens.get(ending)!,
    specialTokens,
    encode,
    encodeBatch: (texts) => texts.map((text) => encode(text)),
    decode,
    streamDecoder() {
      // Spaces and bytes depend on the tokens before: the text so far is decoded again and what is new is given out.
      let ids: number[] = [];
      let shown = "";
      const emit = (text: string) => {
        const fresh = text.slice(shown.length);
        shown = text;
        return fresh;
      };
      return {
        push(id) {
          ids.push(id);
          const text = decode(ids);
          return text.endsWith("\ufffd") ? "" : emit(text);
        },
        end() {
          const rest = emit(decode(ids));
          ids = [];
          return rest;
        },
      };
    },
    toJson: () => `${JSON.stringify(json, null, 2)}\n`,
  };
}
