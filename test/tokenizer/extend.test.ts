import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer as Peer } from "@huggingface/tokenizers";
import { describe, expect, it } from "vitest";
import { realText } from "../../bench/real-text.ts";
import {
  BytePairTokenizer,
  basePieces,
  extendTokenizer,
  parseTiktoken,
  parseTokenizerJson,
  trainBytePairEncoding,
  trainWordPiece,
} from "../../src/tokenizer/index.ts";

const domain = readdirSync("examples/peps")
  .filter((name) => name.endsWith(".rst"))
  .sort()
  .map((name) => readFileSync(`examples/peps/${name}`, "utf8"))
  .join("\n");
const python = process.env.TILTH_PYTHON;
const script = `
import json, sys
from tokenizers import Tokenizer
text = open(sys.argv[1] + "/text", newline="", encoding="utf8").read()
print(json.dumps(Tokenizer.from_file(sys.argv[1] + "/tokenizer.json").encode(text).ids))
`;

const general = [...realText(400_000)];

const trainBase = (pattern: "gpt2" | "cl100k") =>
  trainBytePairEncoding(general, { vocabularySize: 600, specialTokens: ["<|endoftext|>"], pattern });

describe.each(["gpt2", "cl100k"] as const)(
  "a tokenizer with the pattern %s that learns 150 tokens more",
  async (pattern) => {
    const base = await trainBase(pattern);
    const extended = await extendTokenizer(base, [domain], { tokens: 150 });

    it("keeps the base's ids and writes domain text with fewer tokens", () => {
      expect(extended.vocabularySize).toBe(750);
      for (let id = 0; id < base.vocabularySize; id++) expect(extended.tokenBytes(id)).toEqual(base.tokenBytes(id));
      const [before, after] = [base.encode(domain), extended.encode(domain)];
      expect(after.length).toBeLessThan(0.9 * before.length);
      expect(extended.decode(after)).toBe(domain);
      expect(extended.endOfText).toBe(base.endOfText);
    });

    it("encodes as Hugging Face's tokenizers for JavaScript does, read from its own tokenizer.json", () => {
      const json = extended.toJson();
      // That library cuts line feeds otherwise than the one in Rust by cl100k's pattern, with the base too.
      const peer = pattern === "gpt2" ? new Peer(JSON.parse(json), {}) : undefined;
      const again = parseTokenizerJson(json);
      for (const text of [domain.slice(0, 60_000), ...general.slice(0, 4).map((one) => one.slice(0, 20_000))]) {
        const expected = [...extended.encode(text)];
        expect([...again.encode(text)]).toEqual(expected);
        if (peer !== undefined) expect(peer.encode(text).ids).toEqual(expected);
        expect([...extended.encodeByReference(text)]).toEqual(expected);
      }
    });

    it("knows of every new token what the base makes of it", () => {
      const pieces = basePieces(extended, base);
      expect([...pieces.keys()]).toEqual(Array.from({ length: 150 }, (_, i) => 600 + i));
      for (const [id, parts] of pieces) {
        const text = extended.decode([id]);
        expect(Buffer.concat(parts.map((part) => base.tokenBytes(part)))).toEqual(Buffer.from(extended.tokenBytes(id)));
        if (!text.includes("\uFFFD")) expect(parts.length).toBeGreaterThan(1);
      }
    });

    it.skipIf(python === undefined)("encodes as Hugging Face's tokenizers does (TILTH_PYTHON)", async () => {
      const more = await extendTokenizer(extended, [domain], { tokens: 30 });
      const place = mkdtempSync(join(tmpdir(), "tilth-extend-"));
      for (const tokenizer of [extended, more]) {
        writeFileSync(join(place, "tokenizer.json"), tokenizer.toJson());
        writeFileSync(join(place, "text"), domain);
        const { status, stdout, stderr } = spawnSync(python!, ["-c", script, place], { encoding: "utf8" });
        expect(status, stderr).toBe(0);
        expect(JSON.parse(stdout)).toEqual([...tokenizer.encode(domain)]);
      }
      rmSync(place, { recursive: true, force: true });
    });

    it("learns again on top of what it has learned", async () => {
      const more = await extendTokenizer(extended, [domain], { tokens: 30 });
      expect(more.vocabularySize).toBe(780);
      expect(basePieces(more, base).size).toBe(180);
      const sample = domain.slice(0, 20_000);
      expect(more.decode(more.encode(sample))).toBe(sample);
      expect(more.encode(sample).length).toBeLessThan(extended.encode(sample).length);
    });
  },
);

it("extends a published vocabulary whose merges have ranks of their own", async () => {
  const base = parseTiktoken(readFileSync("node_modules/gpt-tokenizer/data/r50k_base.tiktoken", "utf8"), "gpt2");
  const extended = await extendTokenizer(base, [domain], { tokens: 50 });
  expect(extended.vocabularySize).toBe(base.vocabularySize + 50);
  const sample = domain.slice(0, 30_000);
  expect(extended.encode(sample).length).toBeLessThan(base.encode(sample).length);
  expect([...parseTokenizerJson(extended.toJson()).encode(sample)]).toEqual([...extended.encode(sample)]);
  expect(extended).toBeInstanceOf(BytePairTokenizer);
});

it("says that another kind cannot be extended, and that another tokenizer is no base", async () => {
  const wordPiece = await trainWordPiece(general.slice(0, 3), {
    vocabularySize: 400,
    lowercase: true,
    specialTokens: [],
  });
  await expect(extendTokenizer(wordPiece, [domain], { tokens: 10 })).rejects.toThrow(/only byte-level BPE/);
  const [base, other] = [
    await trainBase("gpt2"),
    await trainBytePairEncoding([domain], { vocabularySize: 700, specialTokens: ["<|endoftext|>"], pattern: "gpt2" }),
  ];
  expect(() => basePieces(other, base)).toThrow(/not the one of the model that is continued/);
});
