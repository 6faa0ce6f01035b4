/** WordPiece (Schuster & Nakajima 2012), as BERT uses it: words are cut into the longest known pieces from the left. */
import { z } from "zod";
import { TilthError } from "../foundation/index.ts";
import { addedTokens } from "./added-tokens.ts";
import { type BertNormalization, bertWords, normalizeForBert } from "./bert-text.ts";
import { splitAtSpecial, type Tokenizer } from "./tokenizer.ts";

/** What defines a WordPiece tokenizer. */
export interface WordPieceDefinition {
  /** Tokens by id; those inside a word begin with "##". */
  readonly tokens: readonly string[];
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly normalization: BertNormalization;
}

/** BERT's special tokens, in the order in which trainers number them. */
export const bertSpecialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] as const;

/** Words of more characters are unknown as a whole. */
const maximumWordCharacters = 100;
const cacheLimit = 1 << 16;

/** Encodes and decodes; without [CLS] and [SEP] around a text, which objectives and tasks add. */
export class WordPieceTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly specialTokens: ReadonlyMap<string, number>;
  private readonly ids: ReadonlyMap<string, number>;
  private readonly unknown: number;
  private readonly cache = new Map<string, readonly number[]>();

  /** Throws RangeError where [UNK] or [SEP] is missing. */
  constructor(readonly definition: WordPieceDefinition) {
    this.vocabularySize = definition.tokens.length;
    this.specialTokens = definition.specialTokens;
    this.ids = new Map(definition.tokens.map((token, id) => [token, id]));
    const idOf = (name: string) => {
      const id = this.ids.get(name);
      if (id === undefined) throw new RangeError(`the vocabulary has no token ${name}`);
      return id;
    };
    this.unknown = idOf("[UNK]");
    this.endOfText = idOf("[SEP]");
  }

  encode(text: string, options: { readonly allowSpecial?: boolean } = {}): Int32Array {
    const ids: number[] = [];
    const ordinary = (part: string) => {
      for (const word of bertWords(normalizeForBert(part, this.definition.normalization))) {
        for (const id of this.piecesOf(word)) ids.push(id);
      }
    };
    if (options.allowSpecial) splitAtSpecial(text, this.specialTokens, (id) => ids.push(id), ordinary);
    else ordinary(text);
    return Int32Array.from(ids);
  }

  encodeBatch(texts: readonly string[]): Int32Array[] {
    return texts.map((text) => this.encode(text));
  }

  private piecesOf(word: string): readonly number[] {
    let pieces = this.cache.get(word);
    if (pieces === undefined) {
      pieces = this.cut(word);
      if (this.cache.size >= cacheLimit) this.cache.clear();
      this.cache.set(word, pieces);
    }
    return pieces;
  }

  private cut(word: string): number[] {
    const characters = [...word];
    if (characters.length > maximumWordCharacters) return [this.unknown];
    const pieces: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let found: number | undefined;
      let end = characters.length;
      for (; end > start && found === undefined; end--) {
        const piece = characters.slice(start, end).join("");
        found = this.ids.get(start === 0 ? piece : `##${piece}`);
      }
      if (found === undefined) return [this.unknown];
      pieces.push(found);
      start = end + 1;
    }
    return pieces;
  }

  decode(ids: ArrayLike<number>): string {
    const decoder = this.streamDecoder();
    return Array.from(ids, (id) => decoder.push(id)).join("");
  }

  streamDecoder(): { push(id: number): string; end(): string } {
    let first = true;
    return {
      push: (id) => {
        const token = this.definition.tokens[id];
        if (token === undefined) throw new RangeError(`token ${id} is outside a vocabulary of ${this.vocabularySize}`);
        const text = token.startsWith("##") ? token.slice(2) : `${first ? "" : " "}${token}`;
        first = false;
        return text;
      },
      end: () => "",
    };
  }

  toJson(): string {
    const { tokens, specialTokens, normalization } = this.definition;
    const template = (name: string) => ({ id: name, ids: [this.ids.get(name)], tokens: [name] });
    const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
    const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
    const json = {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens(specialTokens),
      normalizer: {
        type: "BertNormalizer",
        clean_text: normalization.cleanText,
        handle_chinese_chars: normalization.handleChineseCharacters,
        strip_accents: normalization.stripAccents,
        lowercase: normalization.lowercase,
      },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: this.ids.has("[CLS]")
        ? {
            type: "TemplateProcessing",
            single: [special("[CLS]"), sequence("A", 0), special("[SEP]")],
            pair: [
              ...[special("[CLS]"), sequence("A", 0), special("[SEP]"), sequence("B", 1)],
              { SpecialToken: { id: "[SEP]", type_id: 1 } },
            ],
            special_tokens: { "[CLS]": template("[CLS]"), "[SEP]": template("[SEP]") },
          }
        : null,
      decoder: { type: "WordPiece", prefix: "##", cleanup: false },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: maximumWordCharacters,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      },
    };
    return `${JSON.stringify(json, null, 2)}\n`;
  }
}

const schema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })).default([]),
  normalizer: z.looseObject({
    type: z.literal("BertNormalizer"),
    clean_text: z.boolean().default(true),
    handle_chinese_chars: z.boolean().default(true),
    strip_accents: z.boolean().nullable().default(null),
    lowercase: z.boolean().default(true),
  }),
  pre_tokenizer: z.looseObject({ type: z.literal("BertPreTokenizer") }),
  model: z.looseObject({
    type: z.literal("WordPiece").optional(),
    unk_token: z.literal("[UNK]").default("[UNK]"),
    continuing_subword_prefix: z.literal("##").default("##"),
    max_input_chars_per_word: z.literal(maximumWordCharacters).default(maximumWordCharacters),
    vocab: z.record(z.string(), z.int().nonnegative()),
  }),
});

/** Whether a `tokenizer.json` is of BERT's kind. */
export function isWordPiece(json: unknown): boolean {
  return schema.safeParse(json).success;
}

/** The tokenizer of a parsed `tokenizer.json` of BERT's kind. Throws TilthError for a vocabulary with holes. */
export function wordPieceTokenizer(json: unknown, name: string): WordPieceTokenizer {
  const { added_tokens: added, normalizer, model } = schema.parse(json);
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  for (const { id, content } of added) tokens[id] ??= content;
  for (let id = 0; id < tokens.length; id++) {
    if (tokens[id] === undefined) throw new TilthError(`${name}: no token has the id ${id}`);
  }
  try {
    return new WordPieceTokenizer({
      tokens,
      specialTokens: new Map(added.filter(({ special }) => special).map(({ content, id }) => [content, id])),
      normalization: {
        lowercase: normalizer.lowercase,
        stripAccents: normalizer.strip_accents ?? normalizer.lowercase,
        handleChineseCharacters: normalizer.handle_chinese_chars,
        cleanText: normalizer.clean_text,
      },
    });
  } catch (cause) {
    throw cause instanceof RangeError ? new TilthError(`${name}: ${cause.message}`, { cause }) : cause;
  }
}
