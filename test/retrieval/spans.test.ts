import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SpanFinder } from "../../src/retrieval/index.ts";

/** All stretches by the definition: every pair of places, extended as far as it goes, those inside a longer one left out. */
function byDefinition(sequences: readonly Int32Array[], documents: readonly Int32Array[], minimum: number) {
  const found = new Map<string, { sequence: number; start: number; length: number; occurrences: number }>();
  for (const [sequence, wanted] of sequences.entries()) {
    for (let start = 0; start < wanted.length; start++) {
      for (const tokens of documents) {
        for (let offset = 0; offset < tokens.length; offset++) {
          if (start > 0 && offset > 0 && wanted[start - 1] === tokens[offset - 1]) continue;
          let length = 0;
          while (start + length < wanted.length && wanted[start + length] === tokens[offset + length]) length++;
          if (length < minimum) continue;
          const key = `${sequence} ${start} ${length}`;
          const known = found.get(key) ?? { sequence, start, length, occurrences: 0 };
          found.set(key, { ...known, occurrences: known.occurrences + 1 });
        }
      }
    }
  }
  const all = [...found.values()];
  return all
    .filter(
      (one) =>
        !all.some(
          (other) =>
            other !== one &&
            other.sequence === one.sequence &&
            other.start <= one.start &&
            other.start + other.length >= one.start + one.length,
        ),
    )
    .sort((a, b) => a.sequence - b.sequence || a.start - b.start);
}

describe("stretches that stand in documents word for word", () => {
  it("are all those, and only those, that the definition finds", () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 24 }).map((ids) => Int32Array.from(ids));
    fc.assert(
      fc.property(
        fc.array(tokens, { minLength: 1, maxLength: 3 }),
        fc.array(tokens, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 6 }),
        (sequences, documents, minimum) => {
          const finder = new SpanFinder(sequences, minimum);
          documents.forEach((document, index) => {
            finder.search(index, document);
          });
          const found = finder.spans();
          expect(found.map(({ places: _, ...span }) => span)).toEqual(byDefinition(sequences, documents, minimum));
          for (const { sequence, start, length, places } of found) {
            const wanted = [...sequences[sequence].subarray(start, start + length)];
            for (const { document, offset } of places) {
              expect([...documents[document].subarray(offset, offset + length)]).toEqual(wanted);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("names each document once, and no more of them than asked for", () => {
    const finder = new SpanFinder([Int32Array.of(7, 8, 9)], 3, 2);
    const twice = Int32Array.of(7, 8, 9, 1, 7, 8, 9);
    for (const document of [0, 1, 2]) finder.search(document, twice);
    const [{ occurrences, places }] = finder.spans();
    expect(occurrences).toBe(6);
    expect(places).toEqual([
      { document: 0, offset: 0 },
      { document: 1, offset: 0 },
    ]);
  });

  it("refuses stretches of no token", () => {
    expect(() => new SpanFinder([], 0)).toThrow("spans of at least 0 tokens");
  });
});
