import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patternNames, piecesOf, prepareTokenizerKernels, trainBytePairEncoding } from "../../src/tokenizer/index.ts";
import { mergePairs } from "../../src/tokenizer/merge-pairs.ts";
import { nativePiecesOf } from "../../src/tokenizer/native.ts";

const available = await prepareTokenizerKernels();

/** Characters at which the patterns decide, alone and in their neighbourhood. */
const units = [
  ..."aAzZ 's'S\"t'T019\r\n\t/.!?-_ ſßéÉñДдǅʰªمת中文한กी\u0301\u200d\ufeff\u0085\u00a0\u3000\u2028🙂𝐀Ⅷ½٣",
  ...["'re", "'LL", "'ve", "  ", "\n\n", "\r\n", " \n", "\ud800", "HTTPServer", "aB", "\u{10d40}", "\u{105c0}"],
];
const tangled = fc.array(fc.constantFrom(...units), { maxLength: 40 }).map((parts) => parts.join(""));

describe.skipIf(!available)("the native tokenizer (skipped without a compiler)", () => {
  it.each(patternNames)("cuts as the pattern of %s says", (pattern) => {
    fc.assert(
      fc.property(fc.oneof(tangled, fc.string({ unit: "binary" })), (text) => {
        expect(nativePiecesOf(text, pattern)).toEqual(piecesOf(Buffer.from(text).toString(), pattern));
      }),
      { numRuns: 1500 },
    );
  });

  it.each(patternNames)("classifies every character as the pattern of %s does", (pattern) => {
    const text = Array.from({ length: 0x110000 }, (_, point) =>
      point >= 0xd800 && point <= 0xdfff ? "" : `a${String.fromCodePoint(point)}B`,
    ).join("");
    const [native, reference] = [nativePiecesOf(text, pattern)!, piecesOf(text, pattern)];
    const first = native.findIndex((piece, i) => piece !== reference[i]);
    expect(first === -1 ? "" : `${JSON.stringify(native[first])} is not ${JSON.stringify(reference[first])}`).toBe("");
    expect(native.length).toBe(reference.length);
  });

  it("encodes as the reference does: any text, long pieces, many threads, whole pieces first", async () => {
    const texts = ["README.md", "v4/core/util.d.ts"].map((name) =>
      readFileSync(join("node_modules/zod", name), "utf8"),
    );
    for (const ignoreMerges of [false, true]) {
      const { definition } = await trainBytePairEncoding(texts, {
        vocabularySize: 900,
        specialTokens: ["<|endoftext|>"],
        pattern: "o200k",
      });
      const { BytePairTokenizer } = await import("../../src/tokenizer/index.ts");
      const tokenizer = new BytePairTokenizer({ ...definition, ignoreMerges });
      const odd = ["", "a".repeat(50_000), "ab".repeat(3000) + "é".repeat(3000), ...texts];
      expect(tokenizer.encodeBatch(odd, 3)).toEqual(odd.map((text) => tokenizer.encodeByReference(text)));
      fc.assert(
        fc.property(fc.oneof(tangled, fc.string({ unit: "binary" })), (text) => {
          expect(tokenizer.encode(text)).toEqual(tokenizer.encodeByReference(text));
        }),
        { numRuns: 500 },
      );
    }
  });

  it("takes a long unbroken piece in n log n", async () => {
    const tokenizer = await trainBytePairEncoding(["abcabcabdabcabd abcabc"], {
      vocabularySize: 264,
      specialTokens: ["<|endoftext|>"],
      pattern: "gpt2",
    });
    const text = "abcabd".repeat(300_000);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("merges as the reference does, counts beyond 2³² included", () => {
    const arbitrary = fc.array(
      fc.tuple(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 9 })),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(arbitrary, fc.constantFrom(1, 2 ** 33), (words, factor) => {
        const starts = new BigInt64Array(words.length + 1);
        for (const [i, [symbols]] of words.entries()) starts[i + 1] = starts[i] + BigInt(symbols.length);
        const input = {
          symbols: Int32Array.from(words.flatMap(([symbols]) => symbols)),
          starts,
          counts: Float64Array.from(words, ([, count]) => count * factor),
        };
        const options = { vocabularySize: 24, minimumFrequency: 2 * factor, prefixBytes: 0 };
        const tokens = () => [..."abcd"].map((one) => Uint8Array.from(Buffer.from(one)));
        const [one, other] = [tokens(), tokens()];
        expect(mergePairs(input, one, options)).toEqual(mergePairs(input, other, { ...options, reference: true }));
        expect(one.map(String)).toEqual(other.map(String));
      }),
      { numRuns: 300 },
    );
  });

  it("trains the same vocabulary with one thread, with three, and where pieces are forgotten", async () => {
    const text = readFileSync("node_modules/zod/v4/core/util.js", "utf8");
    const texts = Array.from({ length: 300 }, (_, i) => `${text} unusual${i * 7919}`);
    const train = (threads: number) =>
      trainBytePairEncoding(texts, {
        ...{ vocabularySize: 600, specialTokens: ["<|endoftext|>"], pattern: "gpt2", threads },
        maximumDistinctPieces: 300,
      });
    expect((await train(3)).toJson()).toBe((await train(1)).toJson());
  });
});
