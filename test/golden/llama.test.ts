import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { createBackend } from "../../src/engine/index.ts";
import { readSafetensors } from "../../src/formats/index.ts";
import { llama, mappedTensor } from "../../src/models/index.ts";
import { Trainer, trainingConfiguration } from "../../src/training/index.ts";

interface Golden {
  readonly config: Record<string, unknown>;
  readonly sequences: number;
  readonly length: number;
  readonly tokens: number[];
  readonly targets: number[];
  readonly loss: number;
  readonly steps: { loss: number; gradientNorm: number }[];
}

/** The largest difference, as a share of the largest expected value. */
function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    size = Math.max(size, Math.abs(expected[i]));
  }
  return difference / size;
}

describe.each(["reference", ...supportedLevels()])("PyTorch's small Llama on %s", (level) => {
  it.each(["tied", "untied"])("has the losses, gradient norms and weights of ten AdamW steps: %s", async (name) => {
    const golden = JSON.parse(readFileSync(`test/golden/fixtures/${name}.json`, "utf8")) as Golden;
    const fixture = readSafetensors(`test/golden/fixtures/${name}.safetensors`);
    if (level !== "reference") process.env.TILTH_ISA = level;
    try {
      const backend = await createBackend(level === "reference" ? "reference" : "cpu");
      const configuration = llama.fromHuggingFace(golden.config);
      const training = trainingConfiguration.parse({
        steps: 100,
        learningRate: 1e-2,
        schedule: { kind: "warmup-stable-decay", warmupSteps: 0, decayShare: 0 },
      });
      const trainer = new Trainer(backend, llama as never, configuration, training);
      const { arena } = trainer.model;
      const mappings = llama.weights(configuration);
      const group = fixture.names.find((one) => one.endsWith("model.norm.weight") && /^(initial|weights)/.test(one));
      const initial = group?.split("/")[0];
      for (const mapping of mappings) {
        backend.write(mappedTensor(arena, mapping), fixture.floats(`${initial}/${mapping.name}`).data);
      }
      const batch = {
        sequences: golden.sequences,
        length: golden.length,
        tokens: Int32Array.from(golden.tokens),
        targets: Int32Array.from(golden.targets),
        targetCount: golden.targets.filter((target) => target >= 0).length,
      };
      for (const expected of golden.steps) {
        const { loss, gradientNorm } = await trainer.takeStepOn([batch]);
        expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(1e-4);
        expect(Math.abs(gradientNorm - expected.gradientNorm) / expected.gradientNorm).toBeLessThan(1e-3);
      }
      expect(golden.steps).toHaveLength(10);
      for (const mapping of mappings) {
        const ours = await backend.read(mappedTensor(arena, mapping));
        // Adam divides by √v: rounding of tiny gradients is magnified in the first steps.
        expect(relativeDifference(ours, fixture.floats(`final/${mapping.name}`).data), mapping.name).toBeLessThan(5e-3);
      }
      trainer.dispose();
      backend.dispose();
    } finally {
      fixture.close();
      delete process.env.TILTH_ISA;
    }
  });
});
