import { describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import {
  bagsOfWords,
  linearProbe,
  nearestNeighbourProbe,
  poolings,
  representationsOf,
  wordOrderExamples,
} from "../../src/evaluation/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { architectureNamed } from "../../src/models/index.ts";

/** Two clouds whose means differ along one direction, and further features of noise. */
function clouds(count: number, width: number, distance: number, seed: number) {
  const random = new Random(seed);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const features = Float32Array.from({ length: count * width }, (_, i) => {
    const shift = i % width === 3 ? distance * (labels[Math.floor(i / width)] - 0.5) : 0;
    return 5 + random.normal() + shift;
  });
  return { features, width, labels };
}

describe("probes", () => {
  it("find what is there, and nothing where nothing is", () => {
    const [train, test] = [clouds(600, 8, 4, 1), clouds(400, 8, 4, 2)];
    // Two normal distributions four deviations apart are told apart with probability Φ(2) = 0.977.
    expect(linearProbe(train, test).accuracy).toBeCloseTo(0.977, 1);
    expect(linearProbe(train, test).accuracy).toBeGreaterThan(0.95);
    expect(nearestNeighbourProbe(train, test, 15).accuracy).toBeGreaterThan(0.85);
    const nothing = linearProbe(clouds(600, 8, 0, 1), clouds(400, 8, 0, 2)).accuracy;
    expect(nothing).toBeGreaterThan(0.4);
    expect(nothing).toBeLessThan(0.6);
  });

  it("give the same predictions twice, and refuse features that do not fit their labels", () => {
    const [train, test] = [clouds(100, 4, 1, 1), clouds(100, 4, 1, 2)];
    expect(linearProbe(train, test)).toEqual(linearProbe(train, test));
    expect(() => linearProbe({ ...train, width: 3 }, test)).toThrow("400 features of width 3");
  });
});

describe("word order", () => {
  it("swaps neighbours in every second passage, so that bags of words cannot tell", () => {
    const random = new Random(3);
    const documents = [Int32Array.from({ length: 1000 }, () => random.below(50))];
    const original = wordOrderExamples(documents, { length: 20, swaps: 0, limit: 40, seed: 1 });
    const { passages, labels } = wordOrderExamples(documents, { length: 20, swaps: 2, limit: 40, seed: 1 });
    expect(labels.filter((label) => label === 1)).toHaveLength(20);
    expect(wordOrderExamples(documents, { length: 20, swaps: 2, limit: 40, seed: 1 }).passages).toEqual(passages);
    expect(bagsOfWords(passages, 50)).toEqual(bagsOfWords(original.passages, 50));
    passages.forEach((passage, i) => {
      if (labels[i] === 0) expect(passage).toEqual(original.passages[i]);
      else expect(passage).not.toEqual(original.passages[i]);
    });
  });
});

describe.each(["roberta", "llama"])("representations of a %s", (name) => {
  it.each(poolings)("by %s do not depend on what shares a batch, nor on padding", async (pooling) => {
    const engine = new Engine(await createBackend("reference"));
    const architecture = architectureNamed(name);
    const sizes = { vocabularySize: 40, width: 16, layers: 2, attentionHeads: 2, context: 12 };
    const model = architecture.create(
      engine,
      architecture.schema.parse({ ...sizes, initializerStandardDeviation: 0.3 }),
    );
    model.arena.initialize(3);
    const random = new Random(4);
    const texts = [3, 9, 1, 10, 25].map((length) => Int32Array.from({ length }, () => 1 + random.below(39)));
    const options = { pooling, normalize: true } as const;
    const { vectors, width, cut } = await representationsOf(engine, model, texts, 0, options);
    expect(cut).toBe(1);
    for (const [row, text] of texts.entries()) {
      const alone = await representationsOf(engine, model, [text], 0, options);
      const together = vectors.subarray(row * width, (row + 1) * width);
      for (const [i, value] of together.entries()) expect(value).toBeCloseTo(alone.vectors[i], 5);
      expect(together.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
    }
    // The first token of a decoder sees itself alone: it is the same for all texts.
    if (name === "llama" && pooling === "cls") return;
    expect(vectors.subarray(0, width)).not.toEqual(vectors.subarray(width, 2 * width));
  });
});
