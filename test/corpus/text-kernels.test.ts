import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashFunctions } from "../../src/corpus/dedup/signature.ts";
import { Scratch, scan } from "../../src/corpus/filters/scan.ts";
import { buildTextLibrary, useTextKernels } from "../../src/corpus/text/index.ts";
import { loadTextLibrary, nativeKernels } from "../../src/corpus/text/native.ts";
import { referenceKernels } from "../../src/corpus/text/reference.ts";
import { Random } from "../../src/foundation/index.ts";

const path = await buildTextLibrary();

/** Words in several scripts, repeated often, with punctuation, astral letters and broken surrogates between them. */
const word = fc.constantFrom(
  "the",
  "The",
  "fox",
  "naïve",
  "Straße",
  "ΣΑΣ",
  "机器",
  "ไทย",
  "𐐀𐐨",
  "x1",
  "42",
  "\ud800",
  "\udc00",
);
const gap = fc.constantFrom(" ", "\n", ", ", "-", "...", "", "\t", " – ", "\n\n");
const text = fc.array(fc.tuple(word, gap), { maxLength: 120 }).map((pairs) => pairs.flat().join(""));

const plain = (value: { count: number }) =>
  Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      typeof entry === "number" ? entry : Array.from(entry as Int32Array),
    ]),
  );

/** Documents of token hashes from a small alphabet, (0, 0) between them. */
const tokens = fc
  .array(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 40 }), { maxLength: 6 })
  .map((documents) => documents.flatMap((document) => [...document, 0]))
  .map((ids) => ({
    count: ids.length,
    first: Int32Array.from(ids, (id) => id * 7 - (id === 0 ? 0 : 20)),
    second: Int32Array.from(ids),
  }));

describe.skipIf(path === undefined)("native text kernels (skipped without a compiler)", () => {
  const native = path === undefined ? referenceKernels : nativeKernels(path);

  it("cut texts into the words and tokens of the reference", () => {
    fc.assert(
      fc.property(text, fc.constantFrom("words" as const, "tokens" as const), (value, mode) => {
        expect(plain(native.words(value, mode))).toEqual(plain(referenceKernels.words(value, mode)));
      }),
    );
    const long = "abc def, ".repeat(20_000);
    expect(native.words(long, "tokens").count).toBe(60_000);
    expect(plain(native.words(long, "words"))).toEqual(plain(referenceKernels.words(long, "words")));
  });

  it("give the signatures of the reference", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 130 }), (value, words, count) => {
        const functions = hashFunctions(count, 3);
        const shingle = { words, minimum: 4 };
        expect(native.signature(value, shingle, functions)).toEqual(
          referenceKernels.signature(value, shingle, functions),
        );
      }),
    );
  });

  it("find the n-grams of the reference", () => {
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: 5 }), (set, value, n) => {
        const grams = referenceKernels.grams(set, n);
        expect(plain(native.grams(set, n))).toEqual(plain(grams));
        const table = native.gramTable(grams);
        expect(table).toEqual(referenceKernels.gramTable(grams));
        expect(plain(native.findGrams(value, n, table))).toEqual(plain(referenceKernels.findGrams(value, n, table)));
        expect(native.findGrams(set, n, table).count).toBe(grams.count);
      }),
    );
  });

  it("mark the windows of the reference", () => {
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 9 }), fc.constantFrom(3, 12), (value, width, bits) => {
        const [ours, theirs] = [native, referenceKernels].map((kernels) => {
          const filter = { bits, seen: new Uint8Array(2 ** bits / 8), repeated: new Uint8Array(2 ** bits / 8) };
          kernels.noteWindows(value, width, filter);
          return { filter, marks: kernels.markWindows(value, width, filter) };
        });
        expect(ours).toEqual(theirs);
      }),
    );
  });

  it("mark the repeats of the reference, in 32-bit and in 64-bit indices", () => {
    const library = loadTextLibrary(path!);
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 9 }), (value, width) => {
        const expected = referenceKernels.markRepeats(value, width);
        expect(native.markRepeats(value, width)).toEqual(expected);
        const wide = new Uint8Array(value.count);
        expect(library.mark_repeats(value.first, value.second, value.count, width, wide, 1)).toBe(0);
        expect(wide).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("scan a text as the filters' own pass does", () => {
    const runs = fc.constantFrom(
      "A1".repeat(40),
      "Zm9v".repeat(30),
      "=".repeat(90),
      "{}",
      "#",
      "…",
      "....",
      "x".repeat(1200),
    );
    const piece = fc.oneof(word, runs);
    const any = fc.array(fc.tuple(piece, gap), { maxLength: 60 }).map((pairs) => pairs.flat().join(""));
    const scanned = (value: string) => {
      const { words, lines, ...figures } = scan(value, new Scratch());
      const cut = (list: object & { count: number }) =>
        (Object.entries(list) as [string, number | Int32Array][]).map(([key, entry]) => [
          key,
          typeof entry === "number" ? entry : [...entry.slice(0, list.count)],
        ]);
      return { figures, words: cut(words), lines: cut(lines) };
    };
    const both = (value: string) =>
      [path, undefined].map((library) => {
        useTextKernels(library);
        return scanned(value);
      });
    fc.assert(
      fc.property(any, (value) => {
        const [native, reference] = both(value);
        expect(native).toEqual(reference);
      }),
      { numRuns: 300 },
    );
    // More words and lines than the arrays have room for at first.
    const [native, reference] = both("a b\n".repeat(40_000));
    expect(native).toEqual(reference);
    expect(reference.words[0]).toEqual(["count", 80_000]);
  });

  it("sort the suffixes of random, periodic and Fibonacci texts as comparing them does", () => {
    const library = loadTextLibrary(path!);
    const random = new Random(5);
    const texts = [
      ...[1, 2, 3, 10, 200].map((symbols) => Array.from({ length: 700 }, () => random.below(symbols))),
      ...Array.from({ length: 300 }, () => Array.from({ length: random.below(14) }, () => random.below(3))),
      Array.from({ length: 500 }, (_, index) => index % 7),
      [..."fibonacci".repeat(3)]
        .reduce<[number[], number[]]>(([a, b]) => [b, [...b, ...a]], [[0], [1]])[1]
        .slice(0, 900),
    ];
    for (const symbols of texts) {
      const value = Int32Array.from(symbols);
      const expected = symbols.map((_, index) => index).sort((a, b) => compareSuffixes(symbols, a, b));
      for (const wide of [0, 1]) {
        const order = new BigInt64Array(symbols.length);
        expect(library.suffix_array(value, symbols.length, 256, order, wide)).toBe(0);
        expect(Array.from(order, Number)).toEqual(expected);
      }
    }
  });
});

describe("markRepeats", () => {
  it("keeps one copy of everything: what is marked stands unmarked somewhere before it", () => {
    fc.assert(
      fc.property(tokens, fc.integer({ min: 2, max: 6 }), (value, width) => {
        const marks = referenceKernels.markRepeats(value, width);
        const known = new Set(Array.from(value.second).filter((_, index) => !marks[index]));
        value.second.forEach((id, index) => {
          if (marks[index]) expect(known.has(id)).toBe(true);
          if (id === 0) expect(marks[index]).toBe(0);
        });
      }),
    );
  });
});

function compareSuffixes(text: readonly number[], a: number, b: number): number {
  for (; a < text.length && b < text.length; a++, b++) if (text[a] !== text[b]) return text[a] - text[b];
  return b - a;
}
