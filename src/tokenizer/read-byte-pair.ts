/** Reads byte-level BPE from a `tokenizer.json` as Hugging Face's tokenizers writes it. */
import { z } from "zod";
import { TilthError } from "../foundation/index.ts";
import { fromCharacters } from "./byte-alphabet.ts";
import { BytePairTokenizer } from "./byte-pair.ts";
import { type PatternName, patternOf } from "./pre-tokenizer.ts";

const byteLevelSchema = z.looseObject({
  type: z.literal("ByteLevel"),
  add_prefix_space: z.literal(false),
  use_regex: z.boolean().default(true),
});

const schema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string(), special: z.boolean() })),
  normalizer: z.union([z.null(), z.looseObject({ type: z.literal("NFC") })]),
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
    ignore_merges: z.boolean().default(false),
    vocab: z.record(z.string(), z.number().int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

/** Whether a `tokenizer.json` is of the kind that `bytePairTokenizer` reads. */
export function isByteLevel(json: unknown): boolean {
  return (
    schema.safeParse(json).success || /"type":"ByteLevel"/.test(JSON.stringify((json as Json)?.pre_tokenizer ?? ""))
  );
}

type Json = { readonly pre_tokenizer?: unknown } | null;

/**
 * The tokenizer of a parsed `tokenizer.json`; `name` is for messages, `endOfText` the special token that ends a document.
 * Throws TilthError naming the key that is unknown, inconsistent or damaged.
 */
export function bytePairTokenizer(json: unknown, name: string, endOfText?: string): BytePairTokenizer {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TilthError(`${name}: "${issue.path.join(".") || "/"}": ${issue.message}`, {
      remedy: "Tilth's own reader takes byte-level BPE with a published pattern, without a normalizer or with NFC.",
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
    return new BytePairTokenizer({
      pattern: splittingPattern(preTokenizer, name),
      tokens,
      merges,
      specialTokens,
      ignoreMerges: model.ignore_merges,
      ...(parsed.data.normalizer === null ? {} : { normalizer: "NFC" }),
      endOfText,
    });
  } catch (cause) {
    throw cause instanceof RangeError ? new TilthError(`${name}: ${cause.message}`, { cause }) : cause;
  }
}

function splittingPattern(preTokenizer: z.infer<typeof schema>["pre_tokenizer"], name: string): PatternName {
  if (preTokenizer.type === "ByteLevel") {
    if (preTokenizer.use_regex) return "gpt2";
    throw new TilthError(`${name}: "pre_tokenizer.use_regex" is false and there is no pattern to split by`);
  }
  const [split] = preTokenizer.pretokenizers;
  const found = patternOf(split.pattern.Regex);
  if (found === undefined) throw new TilthError(`${name}: "pre_tokenizer.pattern" is none that this version knows`);
  return found;
}
