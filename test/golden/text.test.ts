import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { type Backend, createBackend, tensorOver } from "../../src/engine/index.ts";
import { readSafetensors, type SafetensorsFile } from "../../src/formats/index.ts";
import { architectureOfHuggingFace, mappedTensor, transposed, type WeightMapping } from "../../src/models/index.ts";
import { chooseObjective, type ObjectiveBatch } from "../../src/objectives/index.ts";
import { Trainer, trainingConfiguration } from "../../src/training/index.ts";
import { withoutKeyBias } from "../support/key-biases.ts";
import { relativeDifference } from "../support/workbench.ts";

interface Golden {
  readonly config: Record<string, unknown>;
  readonly sequences: number;
  readonly length: number;
  /** Tokens of each sequence that are no padding. */
  readonly lengths: number[];
  readonly tokens: number[];
  readonly types: number[] | null;
  readonly targets: number[];
  readonly sentenceLabels: number[] | null;
  readonly loss: number;
  readonly steps: { readonly loss: number; readonly gradientNorm: number }[];
}

const names = [
  ...["gpt2", "llama3", "qwen2", "qwen3", "mistral", "bert", "bert-pre-training", "roberta"],
  ...["modernbert", "modernbert-published"],
];

describe.each(["reference", ...supportedLevels()])("on %s", (level) => {
  describe.each(names)("transformers' small %s", (name) => {
    const golden = JSON.parse(readFileSync(`test/golden/fixtures/text/${name}.json`, "utf8")) as Golden;
    const architecture = architectureOfHuggingFace(golden.config);
    const configuration = architecture.fromHuggingFace(golden.config);
    const mappings = architecture.weights(configuration);
    const { sequences, length } = golden;
    const isEncoder = architecture.family === "encoder";
    // An encoder's head runs over the rows that have a target; padding is what no token sees.
    const rows = golden.targets.flatMap((target, row) => (target >= 0 ? [row] : []));
    const batch: ObjectiveBatch = {
      ...{ sequences, length, tokens: Int32Array.from(golden.tokens) },
      ...(golden.types && { types: Int32Array.from(golden.types) }),
      ...(golden.sentenceLabels && { sentenceLabels: Int32Array.from(golden.sentenceLabels) }),
      ...(isEncoder && {
        rows: Int32Array.from(rows),
        visibleFrom: new Int32Array(sequences * length),
        visibleTo: Int32Array.from(golden.tokens, (_, i) => golden.lengths[Math.floor(i / length)]),
      }),
      targets: Int32Array.from(isEncoder ? rows.map((row) => golden.targets[row]) : golden.targets),
      targetCount: rows.length,
    };
    let fixture: SafetensorsFile;
    let backend: Backend;

    beforeAll(async () => {
      fixture = readSafetensors(`test/golden/fixtures/text/${name}.safetensors`);
      backend = await createBackend(
        level === "reference" ? "reference" : "cpu",
        level === "reference" ? {} : { level },
      );
    });
    afterAll(() => {
      fixture.close();
      backend.dispose();
    });

    function theirs(group: string, mapping: WeightMapping): Float32Array {
      const { data, shape } = fixture.floats(`${group}/${mapping.name}`);
      expect(shape).toEqual(mapping.shape);
      return mapping.transposed ? transposed(data, shape) : data;
    }

    function initialTrainer(): Trainer {
      const training = trainingConfiguration.parse({
        steps: 100,
        learningRate: 1e-3,
        schedule: { kind: "warmup-stable-decay", warmupSteps: 0, decayShare: 0 },
      });
      const settings = isEncoder
        ? { kind: "masked-token", nextSentence: golden.sentenceLabels !== null }
        : { kind: "next-token" };
      const trainer = new Trainer(
        backend,
        architecture,
        configuration,
        training,
        chooseObjective(settings, length).objective,
      );
      for (const mapping of mappings)
        backend.write(mappedTensor(trainer.model.arena, mapping), theirs("initial", mapping));
      return trainer;
    }

    it("has every tensor of theirs, and a configuration that comes back", () => {
      const initial = fixture.names
        .filter((one) => one.startsWith("initial/"))
        .map((one) => one.slice("initial/".length));
      expect(mappings.map((mapping) => mapping.name).sort()).toEqual(initial.sort());
      expect(architecture.fromHuggingFace(architecture.toHuggingFace(configuration))).toEqual(configuration);
      expect(architecture.schema.parse(configuration)).toEqual(configuration);
    });

    it("has their logits, loss and gradients", async () => {
      const trainer = initialTrainer();
      const { engine, model, objective } = trainer;
      const logits = await engine.scope({ record: false }, async () => {
        const { hidden, head, headBias } = model.forward(engine, batch);
        const [count, vocabulary] = [hidden.tensor.shape[0], head.tensor.shape[0]];
        const out = engine.allocate([count, vocabulary]);
        backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
        if (headBias !== undefined)
          backend.kernels.addRows(
            out,
            out,
            tensorOver(headBias.tensor.storage, [1, vocabulary], "f32", headBias.tensor.offset),
          );
        return backend.read(out);
      });
      const all = fixture.floats("outputs/logits");
      const vocabulary = all.shape[2];
      const wanted = isEncoder
        ? rows.flatMap((row) => [...all.data.subarray(row * vocabulary, (row + 1) * vocabulary)])
        : all.data;
      expect(relativeDifference(logits, Float32Array.from(wanted))).toBeLessThan(1e-5);
      const loss = await engine.scope({ record: true }, async () => {
        const losses = objective.losses(engine, model, batch, batch.targetCount);
        engine.backward(...losses);
        let sum = 0;
        for (const one of losses) sum += await engine.scalar(one);
        return sum;
      });
      expect(Math.abs(loss - golden.loss) / golden.loss).toBeLessThan(1e-5);
      // As a share of the largest gradient of all: some (a key's bias) are zero but for rounding.
      const expected = mappings.map((mapping) => theirs("gradients", mapping));
      const largest = Math.max(...expected.flatMap((one) => [...one.map(Math.abs)]));
      for (const [index, mapping] of mappings.entries()) {
        const { tensor, parameterGradient } = model.arena.get(mapping.parameter);
        const view = mappedTensor(model.arena, mapping);
        const offset = parameterGradient.offset + view.offset - tensor.offset;
        const gradient = await backend.read(tensorOver(parameterGradient.storage, view.shape, "f32", offset));
        const difference = Math.max(...gradient.map((value, i) => Math.abs(value - expected[index][i])));
        expect(difference / largest, mapping.name).toBeLessThan(2e-5);
      }
      trainer.dispose();
    });

    it("takes ten AdamW steps as they do", async () => {
      const trainer = initialTrainer();
      for (const expected of golden.steps) {
        const { loss, gradientNorm } = await trainer.takeStepOn([batch]);
        expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(1e-4);
        expect(Math.abs(gradientNorm - expected.gradientNorm) / expected.gradientNorm).toBeLessThan(1e-4);
      }
      expect(golden.steps).toHaveLength(10);
      for (const mapping of mappings) {
        const decided = (data: Float32Array) => withoutKeyBias(mapping.name, data);
        const ours = decided(await backend.read(mappedTensor(trainer.model.arena, mapping)));
        const [expected, start] = [decided(theirs("final", mapping)), decided(theirs("initial", mapping))];
        if (expected.length === 0) continue;
        const change = Math.max(...expected.map((value, i) => Math.abs(value - start[i])));
        expect(change, `${mapping.name} moves`).toBeGreaterThan(1e-4);
        expect(relativeDifference(ours, expected), mapping.name).toBeLessThan(1e-4);
      }
      trainer.dispose();
    });

    it.skipIf(isEncoder)("generates with a cache what it computes without one (decoders)", async () => {
      const trainer = initialTrainer();
      const { engine, model } = trainer;
      const tokens = batch.tokens.slice(0, length);
      const whole = await engine.scope({ record: false }, () =>
        backend.read(model.encode(engine, { sequences: 1, length, tokens }).tensor),
      );
      const cache = model.createCache(engine, length);
      const pieces: number[] = [];
      for (const piece of [tokens.slice(0, 6), tokens.slice(6, 7), tokens.slice(7, 8), tokens.slice(8)]) {
        await engine.scope({ record: false }, async () => {
          const { hidden } = model.forwardCached(engine, [{ sequence: 0, tokens: piece }], cache);
          pieces.push(...(await backend.read(hidden.tensor)));
        });
      }
      cache.dispose();
      expect(relativeDifference(Float32Array.from(pieces), whole)).toBeLessThan(1e-5);
      trainer.dispose();
    });
  });
});
