/** `tokenizer.json` and `tokenizer_config.json` as Hugging Face's tokenizers and transformers read and write them. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, TilthError } from "../foundation/index.ts";
import { fromCharacters, toCharacters } from "./byte-alphabet.ts";
import { type PatternName, publishedPatterns } from "./pre-tokenizer.ts";
import { Tokenizer } from "./tokenizer.ts";

const byteLevel = (useRegex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});

/** The text of `tokenizer.json`. */
export function toTokenizerJson(tokenizer: Tokenizer): string {
  const { tokens, merges, specialTokens, pattern } = tokenizer.definition;
  const special = new Set(specialTokens.values());
  const names = tokens.map((bytes, id) => (special.has(id) ? new TextDecoder().decode(bytes) : toCharacters(bytes)));
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...specialTokens].map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
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
      ignore_merges: false,
      vocab: Object.fromEntries(names.map((name, id) => [name, id])),
      merges: merges.map(({ left, right }) => [names[left], names[right]]),
    },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** The text of `tokenizer_config.json` for a model of that context. */
export function tokenizerConfigJson(tokenizer: Tokenizer, context: number): string {
  const endOfText = new TextDecoder().decode(tokenizer.tokenBytes(tokenizer.endOfText));
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: context,
    bos_token: endOfText,
    eos_token: endOfText,
    unk_token: endOfText,
    clean_up_tokenization_spaces: false,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

const byteLevelSchema = z.looseObject({
  type: z.literal("ByteLevel"),
  add_prefix_space: z.literal(false),
  use_regex: z.boolean().default(true),
});

const schema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string(), special: z.boolean() })),
  normalizer: z.null(),
  pre_tokenizer: z.union([
    byteLevelSchema,
    z.looseObject({
      type: z.literal("Sequence"),
      pretokenizers: z.tuple([
        z.looseObject({
          type: z.literal("Split"),
          pattern: z.strictObject({ Regex: z.string() }),
          behavior: z.literal("Isolated"),
        }),
        byteLevelSchema,
      ]),
    }),
  ]),
  model: z.looseObject({
    type: z.literal("BPE"),
    byte_fallback: z.literal(false).default(false),
    dropout: z.null().default(null),
    vocab: z.record(z.string(), z.number().int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

/** Reads a `tokenizer.json`. Throws TilthError naming the key that is unknown, inconsistent or damaged. */
export function readTokenizerJson(path: string): Tokenizer {
  if (!existsSync(path)) {
    throw new TilthError(`${path} is missing`, { remedy: "A checkpoint's folder holds its tokenizer.json." });
  }
  return parseTokenizerJson(readFileSync(path, "utf8"), path);
}

/** As `readTokenizerJson`, from text; `name` is for messages. */
export function parseTokenizerJson(text: string, name = "tokenizer.json"): Tokenizer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TilthError(`${name} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TilthError(`${name}: "${issue.path.join(".") || "/"}": ${issue.message}`, {
      remedy: "Tilth reads byte-level BPE with GPT-2's or cl100k's pattern and no normalizer.",
    });
  }
  const { added_tokens: added, pre_tokenizer: preTokenizer, model } = parsed.data;
  const specialTokens = new Map(added.filter((token) => token.special).map(({ content, id }) => [content, id]));
  const tokens: Uint8Array[] = [];
  const put = (id: number, bytes: Uint8Array | undefined, what: string) => {
    if (bytes === undefined) throw new TilthError(`${name}: the token "${what}" is not in the byte-level alphabet`);
    tokens[id] = bytes;
  };
  for (const [token, id] of Object.entries(model.vocab)) {
    if (id >= 1 << 24) throw new TilthError(`${name}: token id ${id} is beyond any vocabulary`);
    put(id, specialTokens.has(token) ? Buffer.from(token) : fromCharacters(token), token);
  }
  for (const { content, id } of added)
    if (tokens[id] === undefined && id <= tokens.length) put(id, Buffer.from(content), content);
  for (let id = 0; id < tokens.length; id++) {
    if (tokens[id] === undefined) throw new TilthError(`${name}: no token has the id ${id}`);
  }
  const idOf = (token: string) => {
    const id = Object.hasOwn(model.vocab, token) ? model.vocab[token] : undefined;
    if (id === undefined) throw new TilthError(`${name}: a merge names "${token}", which is not in the vocabulary`);
    return id;
  };
  const merges = model.merges.map((merge) => {
    const [left, right] = typeof merge === "string" ? merge.split(" ") : merge;
    return { left: idOf(left), right: idOf(right), merged: idOf(left + right) };
  });
  try {
    return new Tokenizer({ pattern: patternOf(preTokenizer, name), tokens, merges, specialTokens });
  } catch (cause) {
    throw cause instanceof RangeError ? new TilthError(`${name}: ${cause.message}`, { cause }) : cause;
  }
}

function patternOf(preTokenizer: z.infer<typeof schema>["pre_tokenizer"], name: string): PatternName {
  if (preTokenizer.type === "ByteLevel") {
    if (preTokenizer.use_regex) return "gpt2";
    throw new TilthError(`${name}: "pre_tokenizer.use_regex" is false and there is no pattern to split by`);
  }
  const [split] = preTokenizer.pretokenizers;
  const found = (Object.keys(publishedPatterns) as PatternName[]).find(
    (pattern) => publishedPatterns[pattern] === split.pattern.Regex,
  );
  if (found === undefined) throw new TilthError(`${name}: "pre_tokenizer.pattern" is none that this version knows`);
  return found;
}
