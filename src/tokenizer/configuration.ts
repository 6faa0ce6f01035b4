/** The files by which transformers knows what to do with a `tokenizer.json`, and the ids that `config.json` repeats. */
import type { Tokenizer } from "./tokenizer.ts";

/** Special tokens by what they are for, as transformers calls it: BERT's names in brackets, RoBERTa's in angles. */
const namesOfRoles = {
  unk_token: ["[UNK]"],
  sep_token: ["[SEP]"],
  pad_token: ["[PAD]", "<pad>"],
  cls_token: ["[CLS]"],
  mask_token: ["[MASK]", "<mask>"],
} as const;

function isBert({ specialTokens }: Tokenizer): boolean {
  return Object.values(namesOfRoles).every(([name]) => specialTokens.has(name));
}

/** The special tokens by role, e.g. `eos_token`. */
function rolesOf(tokenizer: Tokenizer): Record<string, string> {
  const { specialTokens } = tokenizer;
  const endOfText = [...specialTokens].find(([, id]) => id === tokenizer.endOfText)?.[0];
  const found = Object.entries(namesOfRoles).flatMap(([role, names]) => {
    const name = names.find((one) => specialTokens.has(one));
    return name === undefined ? [] : [[role, name]];
  });
  return {
    ...(endOfText === undefined || isBert(tokenizer)
      ? {}
      : { bos_token: endOfText, eos_token: endOfText, unk_token: endOfText }),
    ...Object.fromEntries(found),
  };
}

/** The text of `tokenizer_config.json` for a model of that context. */
export function tokenizerConfigJson(tokenizer: Tokenizer, context: number): string {
  const config = {
    tokenizer_class: isBert(tokenizer) ? "BertTokenizerFast" : "PreTrainedTokenizerFast",
    model_max_length: context,
    ...rolesOf(tokenizer),
    clean_up_tokenization_spaces: false,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The text of `special_tokens_map.json`, which older readers look into. */
export function specialTokensMapJson(tokenizer: Tokenizer): string {
  return `${JSON.stringify(rolesOf(tokenizer), null, 2)}\n`;
}

/** Ids of the special tokens as a `config.json` names them, e.g. `pad_token_id`. */
export function specialTokenIds(tokenizer: Tokenizer): Record<string, number> {
  return Object.fromEntries(
    Object.entries(rolesOf(tokenizer))
      .filter(([role]) => role !== "unk_token")
      .map(([role, name]) => [`${role}_id`, tokenizer.specialTokens.get(name)!]),
  );
}

/** The text of `tokenizer.json`. */
export function toTokenizerJson(tokenizer: Tokenizer): string {
  return tokenizer.toJson();
}
