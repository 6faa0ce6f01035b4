/** `tokenizer_config.json`, by which transformers knows what to do with a `tokenizer.json`. */
import type { Tokenizer } from "./tokenizer.ts";

/** The text of `tokenizer_config.json` for a model of that context. */
export function tokenizerConfigJson(tokenizer: Tokenizer, context: number): string {
  const { specialTokens } = tokenizer;
  const endOfText = [...specialTokens].find(([, id]) => id === tokenizer.endOfText)?.[0];
  const named = { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" };
  const roles = Object.entries(named).filter(([, name]) => specialTokens.has(name));
  const isBert = roles.length === Object.keys(named).length;
  const config = {
    tokenizer_class: isBert ? "BertTokenizerFast" : "PreTrainedTokenizerFast",
    model_max_length: context,
    ...(isBert ? {} : { bos_token: endOfText, eos_token: endOfText, unk_token: endOfText }),
    ...Object.fromEntries(roles.map(([role, name]) => [`${role}_token`, name])),
    clean_up_tokenization_spaces: false,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The text of `tokenizer.json`. */
export function toTokenizerJson(tokenizer: Tokenizer): string {
  return tokenizer.toJson();
}
