/** What makes two documents near-duplicates. */
import { z } from "zod";

/**
 * MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, chapter 3). The defaults are
 * datatrove's, used for FineWeb: word 5-grams, 14 bands of 8 rows, half of the pairs at similarity 0.72 found.
 * The check against the first member at 0.4 is Tilth's: it leaves the curve as published from a similarity of 0.5 up
 * (a candidate of 0.5 fails it about once in 800 times) and cuts chains, which in node_modules joined translations into
 * Icelandic and Russian over a file with little text of its own.
 */
export const deduplicationSettings = z.strictObject({
  shingleWords: z.int().min(1).max(100).default(5).describe("words a shingle"),
  bands: z
    .int()
    .min(1)
    .max(1000)
    .default(14)
    .describe("bands; a pair that agrees on all rows of one band is a candidate"),
  rows: z.int().min(1).max(100).default(8).describe("rows a band"),
  minimumShingles: z
    .int()
    .min(1)
    .default(10)
    .describe("texts with fewer shingles are compared exactly only: one changed word would decide for them"),
  minimumSimilarity: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(0.4)
    .describe(
      "a document joins a cluster only if its estimated Jaccard similarity with the cluster's first member is at least this, so that a chain A~B~C does not join an A and a C that are unlike; null joins all candidates and chains of them, as datatrove does",
    ),
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(1)
    .describe("of the hash functions; signatures of two seeds do not compare"),
  paragraphs: repeats(10, "paragraphs that stand in a kept document already, white space aside; null keeps them"),
  lines: repeats(10, "lines that stand in a kept document already, white space aside; null keeps them"),
  substrings: repeats(
    50,
    "spans that occur again anywhere in the kept documents (Lee et al. 2022: 50 tokens), by suffix array; null keeps them",
  ),
  minimumRemainingBytes: z
    .int()
    .min(0)
    .default(100)
    .describe("a document of which repeats were removed is rejected if less is left"),
});

/** Removal of what repeats inside documents; a token is a run of letters and digits or one other visible character. */
function repeats(minimumTokens: number, what: string) {
  return z
    .strictObject({
      minimumTokens: z.int().min(1).max(100_000).default(minimumTokens).describe("shorter ones may repeat"),
    })
    .nullable()
    .default(null)
    .describe(`removes ${what}`);
}

export type DeduplicationSettings = z.infer<typeof deduplicationSettings>;

/** The probability that MinHash with these bands and rows makes a pair of the given Jaccard similarity a candidate. */
export function matchProbability(similarity: number, bands: number, rows: number): number {
  return 1 - (1 - similarity ** rows) ** bands;
}
