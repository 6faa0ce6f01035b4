/** Families that are left to a library, id for id beside Hugging Face's tokenizers (test/tokenizer/generate.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseTokenizerJson } from "../../src/tokenizer/index.ts";

const { cases } = z
  .object({
    cases: z.record(
      z.string(),
      z.object({
        tokenizer: z.record(z.string(), z.unknown()),
        texts: z.array(z.object({ text: z.string(), ids: z.array(z.int()), decoded: z.string() })),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "fixtures/library.json"), "utf8")));

describe.each(Object.entries(cases))("a tokenizer.json of the kind %s", (_, { tokenizer: json, texts }) => {
  const tokenizer = parseTokenizerJson(JSON.stringify(json), "tokenizer.json", { eos_token: "</s>" });

  it.each(texts)("encodes $text as tokenizers does", ({ text, ids }) => {
    expect([...tokenizer.encode(text)]).toEqual(ids);
  });

  it.each(texts)("decodes $text as tokenizers does, at once and token by token", ({ ids, decoded }) => {
    expect(tokenizer.decode(ids)).toBe(decoded);
    const decoder = tokenizer.streamDecoder();
    expect(ids.map((id) => decoder.push(id)).join("") + decoder.end()).toBe(decoded);
  });

  it("knows its size and the token that ends a document", () => {
    expect(tokenizer.endOfText).toBe(2);
    expect(tokenizer.vocabularySize).toBe(Object.keys(vocabularyOf(json)).length);
    expect(tokenizer.encode("a</s>b", { allowSpecial: true })).toContain(2);
    expect(() => tokenizer.encode("a</s>b")).toThrow("</s>");
  });
});

/** A Unigram vocabulary is a list of pairs, another an object. */
function vocabularyOf(json: Record<string, unknown>): object {
  return z.object({ vocab: z.union([z.array(z.unknown()), z.record(z.string(), z.int())]) }).parse(json.model).vocab;
}
