import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { type Backend, createBackend, tensorOver } from "../../src/engine/index.ts";
import { readSafetensors, type SafetensorsFile } from "../../src/formats/index.ts";
import { llama, mappedTensor } from "../../src/models/index.ts";
import { nextTokenLoss } from "../../src/objectives/index.ts";
import { Trainer, trainingConfiguration } from "../../src/training/index.ts";

interface Step {
  readonly loss: number;
  readonly gradientNorm: number;
}

interface Golden {
  readonly config: Record<string, unknown>;
  readonly sequences: number;
  readonly length: number;
  readonly tokens: number[];
  readonly targets: number[];
  /** First position that a token sees when it sees its own document only. */
  readonly visibleFrom: number[];
  readonly loss: number;
  readonly maskedLoss: number;
  readonly steps: Step[];
  readonly muonSteps: Step[];
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

describe.each(["reference", ...supportedLevels()])("on %s", (level) => {
  describe.each(["tied", "untied"])("PyTorch's small Llama, %s", (name) => {
    const golden = JSON.parse(readFileSync(`test/golden/fixtures/${name}.json`, "utf8")) as Golden;
    const configuration = llama.fromHuggingFace(golden.config);
    const mappings = llama.weights(configuration);
    const batch = {
      sequences: golden.sequences,
      length: golden.length,
      tokens: Int32Array.from(golden.tokens),
      targets: Int32Array.from(golden.targets),
      targetCount: golden.targets.filter((target) => target >= 0).length,
    };
    let fixture: SafetensorsFile;
    let backend: Backend;

    beforeAll(async () => {
      fixture = readSafetensors(`test/golden/fixtures/${name}.safetensors`);
      if (level !== "reference") process.env.TILTH_ISA = level;
      backend = await createBackend(level === "reference" ? "reference" : "cpu");
      delete process.env.TILTH_ISA;
    });
    afterAll(() => {
      fixture.close();
      backend.dispose();
    });

    function initialTrainer(optimizer: object = {}): Trainer {
      const training = trainingConfiguration.parse({
        steps: 100,
        learningRate: 1e-2,
        schedule: { kind: "warmup-stable-decay", warmupSteps: 0, decayShare: 0 },
        optimizer,
      });
      const trainer = new Trainer(backend, llama as never, configuration, training);
      for (const mapping of mappings) {
        backend.write(mappedTensor(trainer.model.arena, mapping), fixture.floats(`initial/${mapping.name}`).data);
      }
      return trainer;
    }

    it.each([
      { documents: false, logitsName: "logits", gradientsName: "gradients", loss: golden.loss },
      { documents: true, logitsName: "maskedLogits", gradientsName: "maskedGradients", loss: golden.maskedLoss },
    ])("has its logits, loss and gradients; own document only: $documents", async (expected) => {
      const { engine, model } = initialTrainer();
      const input = expected.documents ? { ...batch, visibleFrom: Int32Array.from(golden.visibleFrom) } : batch;
      const logits = await engine.scope({ record: false }, async () => {
        const { hidden, head } = model.forward(engine, input);
        const out = engine.allocate([batch.tokens.length, configuration.vocabularySize]);
        backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
        return backend.read(out);
      });
      expect(relativeDifference(logits, fixture.floats(`outputs/${expected.logitsName}`).data)).toBeLessThan(1e-5);
      const loss = await engine.scope({ record: true }, () => {
        const objective = nextTokenLoss(engine, model, input, batch.targetCount);
        engine.backward(objective.loss);
        return engine.scalar(objective.loss);
      });
      expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(1e-5);
      for (const mapping of mappings) {
        const { tensor, parameterGradient } = model.arena.get(mapping.parameter);
        const view = mappedTensor(model.arena, mapping);
        const gradient = tensorOver(
          parameterGradient.storage,
          mapping.shape,
          "f32",
          parameterGradient.offset + view.offset - tensor.offset,
        );
        const theirs = fixture.floats(`${expected.gradientsName}/${mapping.name}`).data;
        expect(relativeDifference(await backend.read(gradient), theirs), mapping.name).toBeLessThan(2e-5);
      }
      model.dispose();
    });

    it.each([
      { kind: "adamw", steps: golden.steps, final: "final" },
      { kind: "muon", steps: golden.muonSteps, final: "muonFinal" },
    ])("has the losses, gradient norms and weights of ten steps of $kind", async ({ kind, steps, final }) => {
      const trainer = initialTrainer({ kind });
      for (const expected of steps) {
        const { loss, gradientNorm } = await trainer.takeStepOn([batch]);
        expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(1e-4);
        expect(Math.abs(gradientNorm - expected.gradientNorm) / expected.gradientNorm).toBeLessThan(1e-4);
      }
      expect(steps).toHaveLength(10);
      for (const mapping of mappings) {
        const ours = await backend.read(mappedTensor(trainer.model.arena, mapping));
        const theirs = fixture.floats(`${final}/${mapping.name}`).data;
        expect(relativeDifference(ours, theirs), mapping.name).toBeLessThan(1e-4);
      }
      trainer.dispose();
    });
  });
});
