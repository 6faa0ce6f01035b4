/** A byte-level BPE tokenizer and its chat template as GGUF metadata. */
import type { GgufValue } from "../../formats/index.ts";
import { TilthError } from "../../foundation/index.ts";
import { BytePairTokenizer, type PatternName, type Tokenizer } from "../../tokenizer/index.ts";
import { text, uint32 } from "./description.ts";

/** llama.cpp's names for how text is cut; its llama-bpe differs from cl100k only in spaces that end a text. */
const preTokenizers: Record<PatternName, string> = {
  gpt2: "gpt-2",
  cl100k: "llama-bpe",
  llama3: "llama-bpe",
  qwen2: "qwen2",
  o200k: "gpt-4o",
};

const tokenType = { normal: 1, control: 3, unused: 5 } as const;

/** What `tokenizer_config.json` may say that matters here. */
export interface TokenizerSettings {
  readonly beginOfText?: string;
  readonly endOfText?: string;
  readonly addBeginOfText?: boolean;
  readonly chatTemplate?: string;
}

/**
 * The metadata under `tokenizer.`. Models with more embedding rows than tokens get unused tokens for the rest.
 * Where begin and end of text are one token, as in GPT-2 and what Tilth trains, a text starts with it.
 */
export function tokenizerMetadata(
  tokenizer: Tokenizer,
  vocabularySize: number,
  settings: TokenizerSettings,
): Record<string, GgufValue> {
  if (!(tokenizer instanceof BytePairTokenizer)) {
    throw new TilthError("the tokenizer is no byte-level BPE, the only kind that is written as GGUF");
  }
  const { pattern, specialTokens, merges } = tokenizer.definition;
  const names = tokenNames(tokenizer);
  const types: number[] = names.map(() => tokenType.normal);
  for (const id of specialTokens.values()) types[id] = tokenType.control;
  for (let id = names.length; id < vocabularySize; id++) {
    names.push(`<|unused_${id}|>`);
    types.push(tokenType.unused);
  }
  const idOf = (token: string | undefined) => specialTokens.get(token ?? "") ?? tokenizer.endOfText;
  const [begin, end] = [idOf(settings.beginOfText), idOf(settings.endOfText)];
  const metadata: Record<string, GgufValue> = {
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text(preTokenizers[pattern]),
    "tokenizer.ggml.tokens": { type: "array", of: "string", value: names },
    "tokenizer.ggml.token_type": { type: "array", of: "int32", value: types },
    "tokenizer.ggml.merges": {
      type: "array",
      of: "string",
      value: merges.map(({ left, right }) => `${names[left]} ${names[right]}`),
    },
    "tokenizer.ggml.bos_token_id": uint32(begin),
    "tokenizer.ggml.eos_token_id": uint32(end),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: settings.addBeginOfText ?? begin === end },
  };
  if (settings.chatTemplate !== undefined) metadata["tokenizer.chat_template"] = text(settings.chatTemplate);
  return metadata;
}

/** Tokens by id as `tokenizer.json` spells them. */
function tokenNames(tokenizer: Tokenizer): string[] {
  const { model, added_tokens: added } = JSON.parse(tokenizer.toJson()) as {
    model: { vocab: Record<string, number> };
    added_tokens: { id: number; content: string }[];
  };
  const names: string[] = [];
  for (const [name, id] of Object.entries(model.vocab)) names[id] = name;
  for (const { id, content } of added) names[id] = content;
  return names;
}
