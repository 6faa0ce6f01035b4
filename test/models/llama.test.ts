import { beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { AdamW, type Backend, createBackend, Engine, type EngineOptions } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { llama, llamaConfiguration } from "../../src/models/index.ts";
import { documentStarts, nextTokenLoss } from "../../src/objectives/index.ts";

const configuration = llamaConfiguration.parse({
  vocabularySize: 67,
  width: 24,
  layers: 2,
  attentionHeads: 4,
  keyValueHeads: 2,
  headSize: 6,
  mlpWidth: 37,
  context: 256,
  initializerStandardDeviation: 0.3,
});

// Longer than two attention tiles, so that documents begin and end in every position towards them.
const [sequences, length, endOfText] = [2, 203, 0];

function batchOf(seed: number) {
  const random = new Random(seed);
  const tokens = Int32Array.from({ length: sequences * length }, () => random.below(configuration.vocabularySize));
  const targets = Int32Array.from(tokens, () => random.below(configuration.vocabularySize + 5) - 5);
  return { sequences, length, tokens, targets, visibleFrom: documentStarts(tokens, length, endOfText) };
}

/** Losses, all gradients and the parameters after three AdamW steps. */
async function trained(backend: Backend, options: EngineOptions = {}) {
  const engine = new Engine(backend, options);
  const model = llama.create(engine, configuration);
  model.arena.initialize(7);
  const optimizer = new AdamW(model.arena, {
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0.1,
    maximumGradientNorm: 1,
  });
  const losses: number[] = [];
  let gradients: Float32Array = new Float32Array();
  for (let step = 0; step < 3; step++) {
    losses.push(
      await engine.scope({ record: true }, () => {
        const { loss } = nextTokenLoss(engine, model, batchOf(step), sequences * length);
        engine.backward(loss);
        return engine.scalar(loss);
      }),
    );
    if (step === 0) gradients = await backend.read(model.arena.gradientArena());
    optimizer.update(1e-3);
  }
  const parameters = await backend.read(model.arena.valueArena());
  const logits: Float32Array[] = [];
  const cache = model.createCache(engine, length);
  const prompt = batchOf(9).tokens.slice(0, length);
  for (const piece of [prompt.slice(0, 20), prompt.slice(20, 21), prompt.slice(21, 27)]) {
    await engine.scope({ record: false }, async () => {
      logits.push(
        await backend.read(model.forwardCached(engine, [{ sequence: 0, tokens: piece }], cache).hidden.tensor),
      );
    });
  }
  const whole = await engine.scope({ record: false }, () =>
    backend.read(model.forward(engine, { sequences: 1, length: 27, tokens: prompt.slice(0, 27) }).hidden.tensor),
  );
  cache.dispose();
  optimizer.dispose();
  model.dispose();
  engine.trim();
  return { losses, gradients, parameters, cached: logits.flatMap((one) => [...one]), whole: [...whole] };
}

function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

describe("a small Llama", () => {
  let reference: Awaited<ReturnType<typeof trained>>;

  beforeAll(async () => {
    reference = await trained(await createBackend("reference"));
  });

  it("generates with a cache what it computes without one", () => {
    expect(relativeError(reference.cached, reference.whole)).toBeLessThan(1e-6);
  });

  it("needs less memory with activation checkpointing", async () => {
    const peaks = [];
    for (const activationCheckpointing of [false, true]) {
      const backend = await createBackend("reference");
      await trained(backend, { activationCheckpointing });
      peaks.push(backend.memory().peakBytes);
    }
    expect(peaks[1]).toBeLessThan(0.9 * peaks[0]);
  });

  it.runIf(supportedLevels().includes("avx512bf16"))(
    "trains in bf16 as the reference does with the same rounding, and near f32 (skipped without AVX512-BF16)",
    async () => {
      const rounded = await trained(await createBackend("reference", { precision: "bf16" }));
      const backend = await createBackend("cpu", { threads: 2, precision: "bf16", level: "avx512bf16" });
      const once = await trained(backend);
      expect(await trained(backend, { activationCheckpointing: true })).toEqual(once);
      expect(relativeError(once.losses, rounded.losses)).toBeLessThan(1e-3);
      expect(relativeError(once.gradients, rounded.gradients)).toBeLessThan(0.02);
      expect(relativeError(once.losses, reference.losses)).toBeLessThan(3e-3);
      expect(relativeError(once.gradients, reference.gradients)).toBeLessThan(0.05);
      expect(relativeError(once.cached, once.whole)).toBeLessThan(0.02);
      expect(backend.memory().bytes).toBe(0);
      backend.dispose();
    },
  );

  describe.each(supportedLevels())("on the cpu backend at %s", (level) => {
    it.each([1, 2, 3])("trains as the reference does, with the same bits twice, on %i threads", async (threads) => {
      process.env.TILTH_ISA = level;
      try {
        const backend = await createBackend("cpu", { threads });
        const [once, twice] = [await trained(backend), await trained(backend)];
        expect(once).toEqual(twice);
        expect(await trained(backend, { activationCheckpointing: true })).toEqual(once);
        expect(relativeError(once.losses, reference.losses)).toBeLessThan(1e-6);
        expect(relativeError(once.gradients, reference.gradients)).toBeLessThan(1e-5);
        expect(relativeError(once.parameters, reference.parameters)).toBeLessThan(1e-5);
        expect(relativeError(once.cached, reference.whole)).toBeLessThan(1e-5);
        expect(backend.memory().bytes).toBe(0);
        backend.dispose();
      } finally {
        delete process.env.TILTH_ISA;
      }
    });
  });
});
