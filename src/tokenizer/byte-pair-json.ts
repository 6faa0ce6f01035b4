/** Byte-level BPE as a `tokenizer.json` that Hugging Face's tokenizers reads. */
import { addedTokens } from "./added-tokens.ts";
import { toCharacters } from "./byte-alphabet.ts";
import type { BytePairDefinition } from "./byte-pair.ts";
import { publishedPatterns } from "./pre-tokenizer.ts";

const byteLevel = (useRegex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});

/** The text of `tokenizer.json`. */
export function bytePairJson(definition: BytePairDefinition): string {
  const { tokens, specialTokens, pattern } = definition;
  // Hugging Face ranks merges by their place in the list.
  const merges = definition.merges
    .map((merge, index) => ({ ...merge, rank: merge.rank ?? index }))
    .sort((a, b) => a.rank - b.rank);
  const special = new Set(specialTokens.values());
  const names = tokens.map((bytes, id) => (special.has(id) ? new TextDecoder().decode(bytes) : toCharacters(bytes)));
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(specialTokens),
    normalizer: definition.normalizer === undefined ? null : { type: definition.normalizer },
    pre_tokenizer:
      pattern === "gpt2"
        ? byteLevel(true)
        : {
            type: "Sequence",
            pretokenizers: [
              { type: "Split", pattern: { Regex: publishedPatterns[pattern] }, behavior: "Isolated", invert: false },
              byteLevel(false),
            ],
          },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: definition.ignoreMerges ?? false,
      vocab: Object.fromEntries(names.map((name, id) => [name, id])),
      merges: merges.map(({ left, right }) => [names[left], names[right]]),
    },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}
