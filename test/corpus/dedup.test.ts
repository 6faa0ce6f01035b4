import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  clusterNearDuplicates as clusterStored,
  contentFingerprint,
  type DeduplicationSettings,
  deduplicationSettings,
  estimateSimilarity,
  matchProbability,
  minHashSignature,
  SignatureStore,
} from "../../src/corpus/dedup/index.ts";
import { buildTextLibrary, useTextKernels } from "../../src/corpus/text/index.ts";
import { Random } from "../../src/foundation/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-dedup-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Clusters signatures that are given as a list. */
function clusterNearDuplicates(
  signatures: readonly (Uint32Array | undefined)[],
  used: Pick<DeduplicationSettings, "bands" | "rows" | "minimumSimilarity">,
): Int32Array {
  const store = new SignatureStore(join(folder, "signatures"), used.bands * used.rows);
  try {
    // Two partitions, so that signatures come in pieces.
    const half = signatures.length >> 1;
    for (const part of [signatures.slice(0, half), signatures.slice(half)]) {
      const there = part.flatMap((one) => (one === undefined ? [] : [...one]));
      store.append(
        Uint8Array.from(part, (one) => (one === undefined ? 0 : 1)),
        Uint32Array.from(there),
      );
    }
    return clusterStored(store, used);
  } finally {
    store.close();
  }
}

const settings = deduplicationSettings.parse({});
const chained = deduplicationSettings.parse({ minimumSimilarity: null });

const word = (random: Random) => random.uint32().toString(36) + random.uint32().toString(36);
const wordsOf = (random: Random, count: number) => Array.from({ length: count }, () => word(random));

/** Two texts whose sets of word 5-grams have exactly `shared` members in common and `own` of their own each. */
function plantPair(random: Random, shared: number, own: number): [string, string] {
  const beginning = wordsOf(random, shared + 4);
  return [[...beginning, ...wordsOf(random, own)].join(" "), [...beginning, ...wordsOf(random, own)].join(" ")];
}

/** Wilson's score interval of a share; 3.29 standard deviations are 99.9 %. */
function wilsonInterval(found: number, trials: number, deviations: number): [number, number] {
  const square = deviations ** 2;
  const middle = (found + square / 2) / (trials + square);
  const half = (deviations / (trials + square)) * Math.sqrt((found * (trials - found)) / trials + square / 4);
  return [middle - half, middle + half];
}

const signatureOf = (text: string, used = settings) => {
  const signature = minHashSignature(text, used);
  if (signature === undefined) throw new Error("the text is too short for a signature");
  return signature;
};

describe("matchProbability", () => {
  // ANCHORS.md, Deduplication: datatrove's and NeMo-Curator's bands and rows.
  const similarities = [0.5, 0.7, 0.75, 0.8, 0.85, 0.9];
  it.each([
    [14, 8, [0.0533, 0.5645, 0.7716, 0.9235, 0.9884, 0.9996]],
    [20, 13, [0.0024, 0.1769, 0.3818, 0.6773, 0.924, 0.9972]],
  ])("has the published values for %i bands of %i rows", (bands, rows, published) => {
    similarities.forEach((similarity, index) => {
      expect(matchProbability(similarity, bands, rows)).toBeCloseTo(published[index], 4);
    });
  });
});

describe("near-duplicates", () => {
  const pairs = 4000;
  const library = buildTextLibrary();
  const planted = [
    [0.5, 100, 50],
    [0.7, 140, 30],
    [0.75, 150, 25],
    [0.8, 160, 20],
    [0.85, 170, 15],
    [0.9, 180, 10],
  ] as const;
  const curves = [
    ["14 × 8", settings],
    ["14 × 8 with chains", chained],
    ["20 × 13", deduplicationSettings.parse({ bands: 20, rows: 13, seed: 3 })],
  ] as const;

  it.each(
    planted.flatMap(([similarity, shared, own]) =>
      curves.map(([name, used]) => ({ similarity, shared, own, name, used })),
    ),
  )("finds pairs of similarity $similarity as often as the curve of $name says", async (one) => {
    const { similarity, shared, own, used } = one;
    useTextKernels(await library);
    const random = new Random(used.seed, used.bands, shared);
    const texts = Array.from({ length: pairs }, () => plantPair(random, shared, own)).flat();
    const labels = clusterNearDuplicates(
      texts.map((text) => signatureOf(text, used)),
      used,
    );
    useTextKernels(undefined);
    let found = 0;
    for (let pair = 0; pair < pairs; pair++) {
      if (labels[2 * pair] === labels[2 * pair + 1]) found++;
      // Nothing else is alike, so a cluster never reaches over a pair.
      expect(labels[2 * pair]).toBe(2 * pair);
    }
    const [low, high] = wilsonInterval(found, pairs, 3.29);
    const expected = matchProbability(similarity, used.bands, used.rows);
    expect(expected).toBeGreaterThan(low);
    expect(expected).toBeLessThan(high);
  });

  it.each([0.2, 0.5, 0.8])("estimates a similarity of %d without bias", (similarity) => {
    const random = new Random(5, similarity * 10);
    const shared = 200 * similarity;
    const estimates = Array.from({ length: 500 }, () => {
      const [a, b] = plantPair(random, shared, (200 - shared) / 2);
      return estimateSimilarity(signatureOf(a), signatureOf(b));
    });
    const mean = estimates.reduce((sum, estimate) => sum + estimate, 0) / estimates.length;
    const spread = Math.sqrt(estimates.reduce((sum, estimate) => sum + (estimate - mean) ** 2, 0) / estimates.length);
    const binomial = Math.sqrt((similarity * (1 - similarity)) / 112);
    expect(Math.abs(mean - similarity)).toBeLessThan((4.5 * binomial) / Math.sqrt(estimates.length));
    // Correlated hash functions would keep the mean and widen the spread.
    expect(spread).toBeLessThan(1.15 * binomial);
  });

  it("labels each cluster by its first member, and what has no signature by itself", () => {
    const random = new Random(1);
    const [a, b] = plantPair(random, 300, 3);
    const other = wordsOf(random, 300).join(" ");
    const signatures = [other, "short", a, b, a, other].map((text) => minHashSignature(text, settings));
    expect(signatures[1]).toBeUndefined();
    for (const used of [settings, chained])
      expect([...clusterNearDuplicates(signatures, used)]).toEqual([0, 1, 2, 2, 2, 0]);
    expect([...clusterNearDuplicates([], settings)]).toEqual([]);
  });

  it("joins unlike documents over a chain only where the check against the first member is off", () => {
    // Each text of the chain keeps nine tenths of the one before; the last shares nothing with the first.
    const random = new Random(2);
    const words = wordsOf(random, 1500);
    const chain = Array.from({ length: 26 }, (_, step) => words.slice(step * 50, step * 50 + 250).join(" "));
    const signatures = chain.map((text) => signatureOf(text));
    const loose = deduplicationSettings.parse({ bands: 56, rows: 2, minimumSimilarity: null });
    expect(new Set(clusterNearDuplicates(signatures, loose)).size).toBe(1);
    const labels = clusterNearDuplicates(signatures, { ...loose, minimumSimilarity: 0.4 });
    expect(new Set(labels).size).toBeGreaterThan(5);
    labels.forEach((label, index) => {
      expect(label).toBeLessThanOrEqual(index);
      expect(estimateSimilarity(signatures[label], signatures[index])).toBeGreaterThanOrEqual(0.4);
    });
  });

  it("finds a document's cluster behind another one in the same bucket", () => {
    const base = Uint32Array.from({ length: 8 }, (_, index) => index);
    const variant = (change: number[]) =>
      base.map((value, index) => (change.includes(index) ? 100 + index + change.length * 10 : value));
    // All share the first band; the second and third are alike, the first is not like them.
    const signatures = [base, variant([2, 3, 4, 5, 6, 7]), variant([2, 3, 4, 5, 6, 7])];
    signatures[2][7] = 999;
    const labels = clusterNearDuplicates(signatures, { bands: 4, rows: 2, minimumSimilarity: 0.6 });
    expect([...labels]).toEqual([0, 1, 1]);
  });

  it("gives labels that are roots, for any signatures", () => {
    const signature = fc.option(fc.array(fc.nat(2), { minLength: 6, maxLength: 6 }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.array(signature, { maxLength: 30 }),
        fc.constantFrom(null, 0, 0.5, 1),
        (rows, minimumSimilarity) => {
          const signatures = rows.map((row) => row && Uint32Array.from(row));
          const labels = clusterNearDuplicates(signatures, { bands: 3, rows: 2, minimumSimilarity });
          labels.forEach((label, index) => {
            expect(label).toBeLessThanOrEqual(index);
            expect(labels[label]).toBe(label);
            if (signatures[index] === undefined) expect(label).toBe(index);
          });
          // Equal signatures are together where no other likeness counts: in between, a document may meet the founder of
          // another cluster whom its equal, which came before, had no chance to meet.
          if (minimumSimilarity !== null && minimumSimilarity < 1) return;
          rows.forEach((row, index) => {
            const first = rows.findIndex((other) => row !== undefined && String(other) === String(row));
            if (first >= 0) expect(labels[index]).toBe(labels[first]);
          });
        },
      ),
    );
  });

  it("refuses signatures of other settings", () => {
    expect(() => clusterNearDuplicates([new Uint32Array(10)], settings)).toThrow("1 signatures have 10 values; 112");
  });
});

describe("minHashSignature", () => {
  it("ignores case, punctuation and layout, and nothing else", () => {
    const text = "The quick brown fox, which jumped over 13 lazy dogs; then it slept for a while under a tree.";
    const shouted = text.toUpperCase().replace(/[,;.]/g, "").replaceAll(" ", "\n\t");
    expect(signatureOf(shouted)).toEqual(signatureOf(text));
    expect(signatureOf(text.replace("13", "14"))).not.toEqual(signatureOf(text));
  });

  it("compares scripts without spaces by character", () => {
    const text = "机器学习是人工智能的一个分支,它使用数据来改进算法。";
    expect(signatureOf(text)).toEqual(signatureOf([...text].join(" ")));
  });

  it("keeps astral letters apart", () => {
    const chunk = (last: string) => `${"𐐀 𐐁 𐐂 𐐃 𐐄 𐐅 𐐆 𐐇 𐐈 𐐉 𐐊 𐐋 𐐌 𐐍 𐐎 ".repeat(2)}${last}`;
    expect(signatureOf(chunk("𐐏"))).not.toEqual(signatureOf(chunk("𐐐")));
  });

  it("counts a repeated shingle once", () => {
    const random = new Random(3);
    const sentence = wordsOf(random, 40).join(" ");
    const twice = `${sentence} ${sentence}`;
    expect(signatureOf(`${twice} ${sentence}`)).toEqual(signatureOf(twice));
  });

  it("depends on the seed, and asks for the minimum of shingles", () => {
    const random = new Random(4);
    const words = wordsOf(random, 14);
    expect(signatureOf(words.join(" "))).not.toEqual(signatureOf(words.join(" "), { ...settings, seed: 9 }));
    expect(minHashSignature(words.slice(1).join(" "), settings)).toBeUndefined();
    expect(minHashSignature("", settings)).toBeUndefined();
  });
});

describe("contentFingerprint", () => {
  it("is the same for a re-wrapped copy and another for another text", () => {
    expect(contentFingerprint("a b\n\tc ")).toBe(contentFingerprint("a b c"));
    expect(contentFingerprint("a b c")).not.toBe(contentFingerprint("a b C"));
    expect(contentFingerprint("ab c")).not.toBe(contentFingerprint("a bc"));
    expect(contentFingerprint("")).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("deduplicationSettings", () => {
  it("rejects unknown names and impossible values", () => {
    expect(() => deduplicationSettings.parse({ band: 14 })).toThrow("band");
    expect(() => deduplicationSettings.parse({ bands: 0 })).toThrow();
    expect(() => deduplicationSettings.parse({ minimumSimilarity: 1.5 })).toThrow();
  });
});
