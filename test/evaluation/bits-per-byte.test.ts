/** Bits per byte: of all documents and of parts of them. */
import { afterAll, describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import { evaluateLikelihood, type ScoredDocument } from "../../src/evaluation/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../../src/models/index.ts";

const backend = await createBackend("reference");
const engine = new Engine(backend);
const sizes = { vocabularySize: 30, width: 16, layers: 1, attentionHeads: 2, context: 16 };
const model = llama.create(engine, llamaConfiguration.parse(sizes)) as LanguageModel;
model.arena.initialize(3);
afterAll(() => backend.dispose());

const random = new Random(5);
const documents: ScoredDocument[] = [5, 40, 17, 1].map((length, index) => ({
  ids: Int32Array.from({ length }, () => 1 + random.below(29)),
  bytes: 3 * length,
  parts: [index % 2 === 0 ? "source even" : "source odd", "kind prose"],
}));
const windows = { window: 16, stride: 8, batchWindows: 4 };

describe("bits per byte", () => {
  it("of the parts are those of the whole, weighed by bytes, and those of the documents alone", async () => {
    const all = await evaluateLikelihood(engine, model, documents, 0, windows);
    const { "source even": even, "source odd": odd, "kind prose": prose } = all.parts;
    expect(prose).toEqual({ ...all, parts: undefined });
    const bits = even.bitsPerByte * even.bytes + odd.bitsPerByte * odd.bytes;
    expect(bits / all.bytes).toBeCloseTo(all.bitsPerByte, 9);
    expect([even.documents, odd.documents, even.tokens + odd.tokens]).toEqual([2, 2, all.tokens]);
    const alone = await evaluateLikelihood(engine, model, [documents[1], documents[3]], 0, windows);
    expect(alone.bitsPerByte).toBeCloseTo(odd.bitsPerByte, 6);
  });

  it("have an interval over documents around them", async () => {
    const { bitsPerByte, bitsPerByteInterval, perplexity, perplexityInterval } = await evaluateLikelihood(
      engine,
      model,
      documents,
      0,
      windows,
    );
    expect(bitsPerByteInterval[0]).toBeLessThan(bitsPerByte);
    expect(bitsPerByteInterval[1]).toBeGreaterThan(bitsPerByte);
    expect(perplexityInterval[0]).toBeLessThan(perplexity);
    expect(perplexityInterval[1]).toBeGreaterThan(perplexity);
  });
});
