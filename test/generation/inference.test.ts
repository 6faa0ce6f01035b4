import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { type Backend, createBackend, Engine, tensorOver } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { generateBatch, generateTokens, nextLogits, sampleToken } from "../../src/generation/index.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../../src/models/index.ts";
import { relativeDifference, Workbench } from "../support/workbench.ts";

const configuration = llamaConfiguration.parse({
  vocabularySize: 131,
  width: 48,
  layers: 2,
  attentionHeads: 6,
  keyValueHeads: 2,
  mlpWidth: 70,
  context: 64,
  initializerStandardDeviation: 0.3,
});

/** The weights of `from` in a model held for inference. */
async function heldForInference(from: LanguageModel, backend: Backend, matrices: "f32" | "bf16") {
  const engine = new Engine(backend, { use: { matrices } });
  const model = llama.create(engine, configuration) as LanguageModel;
  for (const [name, { tensor }] of from.arena.parameters) {
    backend.write(model.arena.get(name).tensor, await backend.read(tensor));
  }
  return { engine, model };
}

async function roundMatrices(model: LanguageModel, backend: Backend) {
  for (const { tensor } of model.arena.parameters.values()) {
    if (tensor.shape.length < 2) continue;
    const data = await backend.read(tensor);
    // Cutting digits off gives values that bf16 holds exactly.
    const words = new Uint32Array(data.buffer);
    for (let i = 0; i < words.length; i++) words[i] &= 0xffff0000;
    backend.write(tensor, data);
  }
}

describe.each(supportedLevels())("inference at %s", (level) => {
  let backend: Backend;
  let trained: LanguageModel;
  beforeAll(async () => {
    process.env.TILTH_ISA = level;
    backend = await createBackend("cpu", { threads: 2 });
    trained = llama.create(new Engine(backend), configuration) as LanguageModel;
    trained.arena.initialize(3);
    await roundMatrices(trained, backend);
  });
  afterAll(() => {
    backend.dispose();
    delete process.env.TILTH_ISA;
  });

  it("never widens a whole stored matrix", async () => {
    const converted: string[] = [];
    const copy: Backend["kernels"]["copy"] = (out, from) => {
      if (from.type === "bf16" && out.type === "f32") converted.push(`[${from.shape}]`);
      backend.kernels.copy(out, from);
    };
    const watched = { ...backend, kernels: { ...backend.kernels, copy } };
    const { engine, model } = await heldForInference(trained, watched, "bf16");
    const cache = model.createCache(engine, 8);
    await nextLogits(engine, model, [{ sequence: 0, tokens: Int32Array.of(5, 9) }], cache);
    await nextLogits(engine, model, [{ sequence: 0, tokens: Int32Array.of(3) }], cache);
    expect(converted.filter((shape) => !shape.startsWith("[1,") && !shape.startsWith("[2,"))).toEqual([]);
    cache.dispose();
    model.dispose();
  });

  it.each([1, 2, 3, 4, 5, 16, 17, 64])("multiplies %i rows with stored weights as the reference does", async (m) => {
    const reference = await createBackend("reference");
    for (const [n, k] of [
      [1, 1],
      [37, 63],
      [130, 65],
      [64, 768],
    ]) {
      const bench = new Workbench(backend, m + k);
      const [a, weight] = [bench.normal([m, k]), bench.normal([n, k])];
      const stored = tensorOver(backend.allocate(n * k * 2), [n, k], "bf16");
      const words = new Uint32Array((await backend.read(weight)).buffer).map((word) => word & 0xffff0000);
      const exact = new Float32Array(words.buffer);
      backend.write(stored, exact);
      const out = bench.empty([m, n]);
      backend.kernels.matmul(out, a, stored, { transposeB: true });
      const oracle = new Workbench(reference, 1);
      const expected = oracle.empty([m, n]);
      const left = oracle.values(await backend.read(a), [m, k]);
      reference.kernels.matmul(expected, left, oracle.values(exact, [n, k]), { transposeB: true });
      expect(relativeDifference(await backend.read(out), await reference.read(expected))).toBeLessThan(2e-6);
    }
  });

  it("computes from bf16 weights what it computes from the same values in f32", async () => {
    const prompt = Int32Array.from({ length: 20 }, (_, i) => (i * 31) % 131);
    const logits = [];
    for (const matrices of ["f32", "bf16"] as const) {
      const { engine, model } = await heldForInference(trained, backend, matrices);
      const cache = model.createCache(engine, 64);
      const first = await nextLogits(engine, model, [{ sequence: 0, tokens: prompt }], cache);
      const second = await nextLogits(engine, model, [{ sequence: 0, tokens: Int32Array.of(7) }], cache);
      logits.push(Float32Array.from([...first[0], ...second[0]]));
      cache.dispose();
      model.dispose();
    }
    expect(relativeDifference(logits[1], logits[0])).toBeLessThan(1e-5);
  });

  it("continues prompts of different lengths together as it does one by one", async () => {
    const { engine, model } = await heldForInference(trained, backend, "bf16");
    const prompts = [3, 17, 1, 40].map((length) => Int32Array.from({ length }, (_, i) => (i * 13 + length) % 131));
    const options = { temperature: 0.7, topP: 0.9, topK: 0, maximumTokens: 30, seed: 5, endOfText: 2 };
    const together: number[][] = prompts.map(() => []);
    for await (const { prompt, token } of generateBatch(engine, model, prompts, options)) together[prompt].push(token);
    for (const [index, prompt] of prompts.entries()) {
      const alone: number[] = [];
      for await (const token of generateTokens(engine, model, prompt, { ...options, seed: 5 + index }))
        alone.push(token);
      expect(together[index]).toEqual(alone);
    }
    expect(together.flat().length).toBeGreaterThan(40);
    model.dispose();
  });
});

describe("sampling", () => {
  const logits = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i * 7) * 6);
  const share = (options: { temperature: number; topP: number; topK: number }) => {
    const random = new Random(1);
    const counts = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const token = sampleToken(logits, options, random);
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    return counts;
  };
  const weights = Array.from(logits, Math.exp);
  const total = weights.reduce((a, b) => a + b);
  const ranked = weights.map((_, id) => id).sort((a, b) => weights[b] - weights[a]);

  it("draws each token as often as its probability says", () => {
    const counts = share({ temperature: 1, topP: 1, topK: 0 });
    for (const id of ranked.slice(0, 20)) {
      const expected = (weights[id] / total) * 20_000;
      expect(Math.abs((counts.get(id) ?? 0) - expected)).toBeLessThan(5 * Math.sqrt(expected) + 1);
    }
  });

  it("draws only from the smallest set that reaches topP, and from the topK likeliest", () => {
    let [mass, size] = [0, 0];
    while (mass < 0.5 * total) mass += weights[ranked[size++]];
    expect(new Set(share({ temperature: 1, topP: 0.5, topK: 0 }).keys())).toEqual(new Set(ranked.slice(0, size)));
    expect(new Set(share({ temperature: 1, topP: 1, topK: 5 }).keys())).toEqual(new Set(ranked.slice(0, 5)));
  });
});
