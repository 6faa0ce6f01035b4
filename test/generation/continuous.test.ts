import { afterAll, beforeAll, expect, it } from "vitest";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { type BatchRequest, ContinuousBatch, generateBatch } from "../../src/generation/index.ts";
import { type LanguageModel, llama, llamaConfiguration, mistral } from "../../src/models/index.ts";

let backend: Backend;
let engine: Engine;
beforeAll(async () => {
  backend = await createBackend("cpu", { threads: 1 });
  engine = new Engine(backend);
});
afterAll(() => backend.dispose());

const sizes = { vocabularySize: 90, width: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2, mlpWidth: 48 };
const tokenizer = { endOfText: 0, vocabularySize: 80 };

function modelOf(window?: number): LanguageModel {
  const settings = { ...sizes, context: 64, initializerStandardDeviation: 0.4 };
  const made =
    window === undefined
      ? llama.create(engine, llamaConfiguration.parse(settings))
      : mistral.create(engine, mistral.schema.parse({ ...settings, slidingWindow: window }));
  made.arena.initialize(3);
  return made as LanguageModel;
}

/** What the plain loop writes for one request alone. */
async function alone(model: LanguageModel, { prompt, ...request }: BatchRequest): Promise<number[]> {
  const tokens: number[] = [];
  for await (const { token } of generateBatch(engine, model, [prompt], { ...request, ...tokenizer }))
    tokens.push(token);
  return tokens;
}

it.each([undefined, 7])("gives every request what it gets alone, as they come and go (window %s)", async (window) => {
  const model = modelOf(window);
  const random = new Random(5);
  const requests = Array.from({ length: 24 }, (_, id): BatchRequest => {
    const prompt = Int32Array.from({ length: 1 + random.below(40) }, () => 1 + random.below(79));
    const sampling = { temperature: id % 3 === 0 ? 0 : 0.8, topP: 0.95, topK: id % 2 === 0 ? 0 : 20 };
    return { id, prompt, ...sampling, maximumTokens: 1 + random.below(30), seed: 100 + id };
  });
  const batch = new ContinuousBatch(engine, model, tokenizer, { slots: 5 });
  const written = new Map<number, number[]>(requests.map(({ id }) => [id, []]));
  const reasons = new Map<number, string>();
  const cancelled = new Set([6, 13]);
  const waiting = [...requests];
  for (let steps = 0; waiting.length > 0 || batch.active > 0; steps++) {
    // One joins every other step, so that they are at different places.
    if (batch.hasRoom && waiting.length > 0 && steps % 2 === 0) batch.start(waiting.shift()!);
    for (const { id, drawn, ended } of await batch.step()) {
      if (drawn !== undefined) written.get(id)!.push(drawn.token);
      if (ended !== undefined) reasons.set(id, ended);
    }
    for (const id of cancelled) if (written.get(id)!.length >= 2) batch.cancel(id);
  }
  for (const request of requests) {
    const expected = await alone(model, request);
    const got = written.get(request.id)!;
    if (cancelled.has(request.id)) {
      expect(got).toEqual(expected.slice(0, got.length));
      continue;
    }
    expect(got, `request ${request.id}`).toEqual(expected);
    const { prompt, maximumTokens } = request;
    const full = got.length === maximumTokens || prompt.length + got.length > 64;
    expect(reasons.get(request.id)).toBe(full ? "length" : "stop");
    expect(Math.max(...got, 0)).toBeLessThan(tokenizer.vocabularySize);
  }
  batch.dispose();
  model.dispose();
});

it("takes over beginnings that were computed before, and gives way where the cache is too small for all", async () => {
  const settings = { ...sizes, context: 320, initializerStandardDeviation: 0.4 };
  const model = llama.create(engine, llamaConfiguration.parse(settings)) as LanguageModel;
  model.arena.initialize(3);
  const random = new Random(9);
  const beginning = Int32Array.from({ length: 150 }, () => 1 + random.below(79));
  const requests = Array.from({ length: 12 }, (_, id): BatchRequest => {
    const own = Int32Array.from({ length: 1 + random.below(30) }, () => 1 + random.below(79));
    const prompt = id % 3 === 2 ? own : Int32Array.of(...beginning, ...own);
    return { id, prompt, temperature: 0.7, topP: 1, topK: 0, maximumTokens: 90, seed: id };
  });
  const run = async (tokens: number | undefined) => {
    const batch = new ContinuousBatch(engine, model, tokenizer, { slots: 4, tokens });
    const written = new Map<number, number[]>(requests.map(({ id }) => [id, []]));
    const waiting = [...requests];
    while (waiting.length > 0 || batch.active > 0) {
      while (batch.hasRoom && waiting.length > 0) batch.start(waiting.shift()!);
      for (const { id, drawn } of await batch.step()) if (drawn !== undefined) written.get(id)!.push(drawn.token);
      expect(batch.usage.used).toBeLessThanOrEqual(batch.usage.tokens);
    }
    expect(batch.usage.used).toBe(0);
    batch.dispose();
    return { written: [...written.values()], reused: batch.reusedTokens, preemptions: batch.preemptions };
  };
  const roomy = await run(undefined);
  expect(roomy.preemptions).toBe(0);
  // All but the first find the two whole pages of their common beginning.
  expect(roomy.reused).toBeGreaterThanOrEqual(128 * 4);
  for (const request of requests) expect(roomy.written[request.id]).toEqual(await alone(model, request));
  const tight = await run(384);
  expect(tight.preemptions).toBeGreaterThan(0);
  expect(tight.written).toEqual(roomy.written);
  model.dispose();
});

it("refuses what has no slot or no room", () => {
  const model = modelOf();
  const batch = new ContinuousBatch(engine, model, tokenizer, { slots: 1, capacity: 8 });
  const request = { temperature: 0, topP: 1, topK: 0, maximumTokens: 4, seed: 1 };
  expect(() => batch.start({ ...request, id: 1, prompt: new Int32Array(8).fill(1) })).toThrow(
    "a prompt of 8 tokens in slots of 8",
  );
  batch.start({ ...request, id: 2, prompt: Int32Array.of(1) });
  expect(() => batch.start({ ...request, id: 3, prompt: Int32Array.of(1) })).toThrow("every slot is taken");
  batch.cancel(2);
  expect(batch.hasRoom).toBe(true);
  batch.dispose();
  model.dispose();
});
