import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  brotliBitsPerByte,
  gzipBitsPerByte,
  NgramModel,
  shift,
  startKey,
} from "../../src/evaluation/baselines/index.ts";

const readme = readFileSync("node_modules/zod/README.md");
const licence = readFileSync("LICENSE");

describe("the 5-gram model", () => {
  const model = NgramModel.train([readme, licence]);

  it("gives probabilities that sum to one, after seen and unseen histories", () => {
    for (const text of ["", "the ", "zzzz", "\0\0\0\0", "const"]) {
      let key = startKey();
      for (const byte of Buffer.from(text)) key = shift(key, byte);
      let sum = 0;
      for (let symbol = 0; symbol < 257; symbol++) sum += model.probability(key % 257 ** 4, symbol);
      expect(sum).toBeCloseTo(1, 9);
    }
  });

  it("codes what it has seen with few bits, unseen text with more, and noise with most", () => {
    const noise = Uint8Array.from({ length: 5000 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);
    const seen = model.bitsPerByte([licence]);
    const unseen = model.bitsPerByte([readFileSync("node_modules/vite/README.md")]);
    expect(seen).toBeLessThan(1.5);
    expect(unseen).toBeGreaterThan(seen);
    expect(model.bitsPerByte([noise])).toBeGreaterThan(8);
  });

  it("reaches the entropy of a source that it can know: two equally likely bytes", () => {
    const coin = (seed: number) =>
      Uint8Array.from({ length: 20_000 }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 31) + 65);
    const trained = NgramModel.train([coin(1)]);
    expect(trained.bitsPerByte([coin(1)])).toBeLessThan(1.01);
  });
});

describe("the compressors", () => {
  it("count eight bits a byte for noise and near none for repetition", () => {
    const repeated = new Uint8Array(100_000);
    expect(gzipBitsPerByte([repeated])).toBeLessThan(0.02);
    expect(brotliBitsPerByte([repeated])).toBeLessThan(0.01);
    expect(brotliBitsPerByte([readme])).toBeLessThan(gzipBitsPerByte([readme]));
  });
});
