/** A step's forecast beside the step itself. */
import { describe, expect, it } from "vitest";
import { createBackend } from "../../src/engine/index.ts";
import { architectureNamed } from "../../src/models/index.ts";
import { chooseObjective } from "../../src/objectives/index.ts";
import { forecastStep, randomTokenSource, Trainer, trainingConfiguration } from "../../src/training/index.ts";

const rates = { precision: "f32" as const, peakFlops: 1e11, memoryBytesPerSecond: 1e10 };
const llama = { vocabularySize: 512, width: 64, layers: 3, attentionHeads: 4, mlpWidth: 160, context: 64 };
const bert = { ...llama, mlpWidth: 256 };

describe("the forecast of a step", () => {
  it.each([
    ["llama", "next-token", llama, { optimizer: { kind: "adamw" } }],
    ["llama", "next-token", llama, { optimizer: { kind: "muon" } }],
    ["llama", "next-token", { ...llama, layers: 6 }, { activationCheckpointing: true }],
    ["llama", "next-token", llama, { batchSequences: 8, microBatchSequences: 2 }],
    ["llama", "next-token", llama, { weightAverageDecay: 0.99, zLoss: 1e-4 }],
    ["bert", "masked-token", bert, {}],
  ] as const)("knows the memory that %s takes for %s: %j, %j", async (name, kind, sizes, changes) => {
    const training = trainingConfiguration.parse({
      ...{ steps: 100, sequenceLength: 64, batchSequences: 4, microBatchSequences: 4 },
      ...changes,
    });
    const architecture = architectureNamed(name);
    const configuration = architecture.schema.parse(sizes);
    const chosen = chooseObjective({ kind }, training.sequenceLength);
    const told = await forecastStep(architecture, configuration, training, rates, chosen);
    const backend = await createBackend("reference");
    const trainer = new Trainer(backend, architecture, configuration, training, chosen.objective);
    const source = randomTokenSource(512, training.sequenceLength, chosen.specialTokens);
    const { sequenceLength, microBatchSequences: count, batchSequences, documentMask } = training;
    const sequences = Array.from({ length: count }, (_, index) => index);
    const batch = chosen.objective.draw(source, sequences, { sequenceLength, documentMask }, [1]);
    await trainer.takeStepOn(Array.from({ length: batchSequences / count }, () => batch));
    const { peakBytes } = backend.memory();
    trainer.dispose();
    // The reference has no scratch of the head, which is some 0.6 MB here.
    expect(told.memoryBytes / peakBytes).toBeGreaterThan(0.98);
    expect(told.memoryBytes / peakBytes).toBeLessThan(1.2);
  });

  it("counts each step's own batch where batches warm up", async () => {
    const architecture = architectureNamed("llama");
    const configuration = architecture.schema.parse(llama);
    const settings = { steps: 100, sequenceLength: 64, batchSequences: 8, microBatchSequences: 2 };
    const of = (change: object) =>
      forecastStep(architecture, configuration, trainingConfiguration.parse({ ...settings, ...change }), rates);
    const [whole, warmed] = [
      await of({}),
      await of({ batchWarmup: { startSequences: 4, incrementSequences: 4, steps: 50 } }),
    ];
    // The first 50 of 100 steps have half the sequences.
    expect(warmed.flops).toBe(whole.flops);
    expect(whole.runSeconds).toBeCloseTo(100 * whole.seconds, 9);
    expect(warmed.runSeconds / whole.runSeconds).toBeGreaterThan(0.75);
    expect(warmed.runSeconds / whole.runSeconds).toBeLessThan(0.9);
    expect(warmed.medianSeconds).toBeLessThan(whole.medianSeconds);
  });

  it("takes twice the FLOPs for twice the batch, and no time to speak of for a model of a billion", async () => {
    const architecture = architectureNamed("llama");
    const configuration = architecture.schema.parse({
      ...{ vocabularySize: 32_000, width: 2048, layers: 22, attentionHeads: 32, mlpWidth: 5632, context: 2048 },
    });
    const of = (batchSequences: number) =>
      forecastStep(
        architecture,
        configuration,
        trainingConfiguration.parse({ steps: 100, sequenceLength: 1024, batchSequences, microBatchSequences: 1 }),
        rates,
      );
    const [one, two] = [await of(1), await of(2)];
    expect(two.flops / one.flops).toBeCloseTo(2, 6);
    expect(two.memoryBytes).toBe(one.memoryBytes);
    const parameters = architecture.dimensions(configuration).parameters;
    expect(one.stateBytes / (16 * parameters)).toBeCloseTo(1, 2);
    // 6 · parameters · tokens, and attention.
    expect(one.flops / (6 * parameters * 1024)).toBeGreaterThan(1);
    expect(one.flops / (6 * parameters * 1024)).toBeLessThan(1.15);
  });

  // Seconds of docs/performance.md, measured on a quiet machine; the forecast itself computes nothing.
  it.each([
    [{ layers: 5, width: 192, attentionHeads: 6, vocabularySize: 4096 }, 256, 16, "bf16", 1030e9, 0.14],
    [{ layers: 5, width: 192, attentionHeads: 6, vocabularySize: 4096 }, 256, 16, "f32", 548e9, 0.263],
    [{ layers: 5, width: 192, attentionHeads: 6, vocabularySize: 4096 }, 256, 16, "f32", 272e9, 0.446],
    [{ layers: 8, width: 320, attentionHeads: 10, vocabularySize: 4096 }, 256, 8, "bf16", 1030e9, 0.24],
    [{ layers: 12, width: 768, attentionHeads: 12, vocabularySize: 50_304 }, 1024, 4, "bf16", 1030e9, 4.22],
  ] as const)(
    "is within 20 %% of the measured time: %j, %i × %i, %s at %d",
    async (sizes, length, count, precision, peakFlops, seconds) => {
      const architecture = architectureNamed("llama");
      const training = { steps: 100, sequenceLength: length, batchSequences: count, microBatchSequences: count };
      const told = await forecastStep(
        architecture,
        architecture.schema.parse({ ...sizes, context: length }),
        trainingConfiguration.parse(training),
        { precision, peakFlops, memoryBytesPerSecond: 46e9 },
      );
      expect(Math.abs(told.seconds / seconds - 1)).toBeLessThan(0.2);
    },
  );
});
