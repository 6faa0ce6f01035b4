import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { TilthError } from "../../src/foundation/index.ts";
import {
  type PatternName,
  parseTokenizerJson,
  patternNames,
  piecesOf,
  type Tokenizer,
  trainBytePairEncoding,
} from "../../src/tokenizer/index.ts";

const texts = ["README.md", "package.json", "src/types.d.ts"].map((name) =>
  readFileSync(join("node_modules/zod", name === "src/types.d.ts" ? "v4/core/util.d.ts" : name), "utf8"),
);

const train = (pattern: PatternName, vocabularySize = 700) =>
  trainBytePairEncoding(texts, { vocabularySize, specialTokens: ["<|endoftext|>"], pattern });

describe.each<PatternName>([...patternNames])("a tokenizer with the pattern of %s", (pattern) => {
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    tokenizer = await train(pattern);
  });

  it("has the vocabulary asked for and is the same every time", async () => {
    expect(tokenizer.vocabularySize).toBe(700);
    expect((await train(pattern)).toJson()).toBe(tokenizer.toJson());
  });

  it("gives any text back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(Buffer.from(text).toString());
      }),
    );
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("cuts any text into pieces that are the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(piecesOf(text, pattern).join("")).toBe(text);
      }),
    );
  });

  it("treats special tokens as text unless allowed", () => {
    const text = "a<|endoftext|>b";
    expect([...tokenizer.encode(text)]).not.toContain(tokenizer.endOfText);
    expect([...tokenizer.encode(text, { allowSpecial: true })].filter((id) => id === tokenizer.endOfText)).toHaveLength(
      1,
    );
    expect(tokenizer.decode(tokenizer.encode(text, { allowSpecial: true }))).toBe(text);
  });

  it("survives its tokenizer.json unchanged", () => {
    const again = parseTokenizerJson(tokenizer.toJson());
    for (const text of texts) expect(again.encode(text)).toEqual(tokenizer.encode(text));
    expect(again.toJson()).toBe(tokenizer.toJson());
  });

  it("encodes as Hugging Face's tokenizers does", (context) => {
    const python = process.env.TILTH_PYTHON ?? "python3";
    const folder = mkdtempSync(join(tmpdir(), "tilth-"));
    try {
      if (spawnSync(python, ["-c", "import tokenizers"]).status !== 0) {
        return context.skip(`${python} has no module "tokenizers"`);
      }
      const samples = [
        ...texts,
        "today\n \n",
        "today\n  \n",
        "'rer I'LL '\u017f",
        "x\u0085y\ufeffz",
        "１２３ 4567 ½",
        "  a\t\tb \r\n\n c  ",
      ];
      writeFileSync(join(folder, "tokenizer.json"), tokenizer.toJson());
      writeFileSync(join(folder, "samples.json"), JSON.stringify(samples));
      const program = [
        "import json,sys,tokenizers",
        "t=tokenizers.Tokenizer.from_file(sys.argv[1]+'/tokenizer.json')",
        "print(json.dumps([t.encode(s,add_special_tokens=False).ids for s in json.load(open(sys.argv[1]+'/samples.json'))]))",
      ].join("\n");
      const { stdout } = spawnSync(python, ["-c", program, folder], { encoding: "utf8", maxBuffer: 1 << 28 });
      expect(samples.map((sample) => [...tokenizer.encode(sample)])).toEqual(JSON.parse(stdout));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("pre-tokenization", () => {
  it("follows cl100k on contractions and line ends", () => {
    expect(piecesOf("'rer", "cl100k")).toEqual(["'re", "r"]);
    expect(piecesOf("today\n \n", "cl100k")).toEqual(["today", "\n \n"]);
    expect(piecesOf("today\n  \n", "cl100k")).toEqual(["today", "\n  \n"]);
    expect(piecesOf("12345", "cl100k")).toEqual(["123", "45"]);
  });

  it("follows GPT-2 on spaces before words", () => {
    expect(piecesOf("hello   world's 42!", "gpt2")).toEqual(["hello", "  ", " world", "'s", " 42", "!"]);
  });
});

describe("a damaged tokenizer.json", () => {
  it.each([
    ["cut short", (json: string) => json.slice(0, 500), /not valid JSON/],
    [
      "an unknown normalizer",
      (json: string) => json.replace('"normalizer": null', '"normalizer": {"type":"Strange"}'),
      /normalizer/i,
    ],
    [
      "a merge of unknown tokens",
      (json: string) => json.replace(/"merges": \[/, '"merges": [["\u2603","a"],'),
      /merge names/,
    ],
    ["a hole in the ids", (json: string) => json.replace(/: 699\b/, ": 705"), /no token has the id 699/],
  ])("is refused: %s", async (_what, damage, message) => {
    const json = damage((await train("gpt2")).toJson());
    expect(() => parseTokenizerJson(json)).toThrow(message);
    expect(() => parseTokenizerJson(json)).toThrow(TilthError);
  });
});
