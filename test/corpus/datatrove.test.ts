/** Decisions and words beside datatrove's, on real documents: test/golden/datatrove_filters.py makes the fixture. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { sentencesOf } from "../../src/corpus/filters/datatrove/c4.ts";
import { datatroveText } from "../../src/corpus/filters/datatrove/text.ts";
import { filterSettings, judgeDocument, measureDocument } from "../../src/corpus/filters/index.ts";

const document = z.object({
  path: z.string(),
  text: z.string().optional(),
  sha256: z.string().optional(),
  reasons: z.record(z.string(), z.string()),
  words: z.tuple([z.number(), z.string()]),
});
const fixture = z
  .object({
    hard: z.array(z.object({ text: z.string(), words: z.array(z.string()), sentences: z.number() })),
    excerpts: z.array(document),
    packages: z.array(document),
  })
  .parse(
    JSON.parse(gunzipSync(readFileSync(join(import.meta.dirname, "fixtures/datatrove.json.gz"))).toString("utf8")),
  );

const settings = filterSettings.parse({});

/** As the generator does it. */
function normal(text: string): string {
  return text
    .replaceAll("\t", "    ")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{4,}/g, "\n\n\n")
    .replace(/^\n+|\n+$/g, "");
}

const documents = [
  ...fixture.excerpts.map((one) => ({ ...one, text: one.text! })),
  // Another version of a package has another text: it is left out.
  ...fixture.packages.flatMap((one) => {
    const file = join("node_modules", one.path);
    if (!existsSync(file)) return [];
    const bytes = readFileSync(file);
    return createHash("sha256").update(bytes).digest("hex") === one.sha256
      ? [{ ...one, text: normal(bytes.toString("utf8")) }]
      : [];
  }),
].map((one) => ({
  ...one,
  rules: judgeDocument(measureDocument(one.text, "web"), "web", settings).map(({ rule }) => rule),
  ours: datatroveText(one.text).words.map(({ text }) => text),
}));

describe("pages beside datatrove", () => {
  it("are compared on three hundred real documents, some of them rejected by each filter", () => {
    expect(documents.length).toBeGreaterThan(300);
    for (const filter of ["gopher-quality", "gopher-repetition", "fineweb", "c4"]) {
      expect(documents.filter(({ reasons }) => filter in reasons).length, filter).toBeGreaterThan(10);
    }
  });

  it.each(["gopher-quality", "gopher-repetition", "fineweb", "c4"])("%s decides every one the same", (filter) => {
    const differing = documents.filter(
      ({ rules, reasons }) => rules.some((rule) => rule.startsWith(`${filter}.`)) !== filter in reasons,
    );
    expect(differing.map(({ path, rules, reasons }) => ({ path, rules, datatrove: reasons[filter] }))).toEqual([]);
  });

  it("have the words that spaCy's English tokenizer finds", () => {
    for (const { path, ours, words } of documents) {
      const hash = createHash("sha256").update(ours.join("\n")).digest("hex").slice(0, 16);
      expect([ours.length, hash], path).toEqual(words);
    }
  });

  it.each(fixture.hard)("have its words and sentences in $text", ({ text, words, sentences }) => {
    expect(datatroveText(text).words.map((word) => word.text)).toEqual(words);
    expect(sentencesOf(text)).toBe(sentences);
  });
});

describe("long runs without white space", () => {
  it.each(["a:", "a@", ".", "=", "a.b", "(", "x/y:z@"])("of %s end soon", (unit) => {
    const words = datatroveText(unit.repeat(50_000 / unit.length)).words;
    expect(words.map(({ text }) => text).join("")).toBe(unit.repeat(50_000 / unit.length));
  });
});
