import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import {
  AdamW,
  type Backend,
  createBackend,
  Engine,
  headCrossEntropy,
  type ParameterArena,
  type Tensor,
} from "../../src/engine/index.ts";
import { readSafetensors, type SafetensorsFile } from "../../src/formats/index.ts";
import {
  clip,
  fromOpenClip,
  type ImageTextModel,
  mappedTensor,
  openClipWeights,
  siglip,
  transposed,
  VitModel,
  vit,
  type WeightMapping,
} from "../../src/models/index.ts";
import { contrastiveStep, embedPairs } from "../../src/objectives/index.ts";
import { withoutKeyBias } from "../support/key-biases.ts";
import { relativeDifference } from "../support/workbench.ts";

interface Golden {
  readonly config: Record<string, unknown>;
  readonly pairs: number;
  readonly length: number;
  readonly pixels: number[];
  readonly tokens: number[];
  readonly loss: number;
  readonly steps: readonly { readonly loss: number; readonly gradientNorm: number }[];
}

/** What the checks need of any of the models. */
interface Subject {
  readonly arena: ParameterArena;
  readonly mappings: readonly WeightMapping[];
  /** Adds gradients, returns the loss. */
  step(): Promise<number>;
  outputs(): Promise<Record<string, Float32Array>>;
}

const imageSize = 16;

function goldenOf(name: string): Golden {
  return JSON.parse(readFileSync(`test/golden/fixtures/image-text/${name}.json`, "utf8")) as Golden;
}

function pairsOf({ pairs, length, pixels, tokens }: Golden) {
  const texts = { sequences: pairs, length, tokens: Int32Array.from(tokens) };
  return { pairs, pixels: Float32Array.from(pixels), imageSize, texts };
}

function towers(engine: Engine, model: ImageTextModel, golden: Golden, mappings: readonly WeightMapping[]): Subject {
  const batch = pairsOf(golden);
  return {
    arena: model.arena,
    mappings,
    step: () => contrastiveStep(engine, model, batch, batch.pairs),
    async outputs() {
      const { images, texts } = await embedPairs(engine, model, batch, batch.pairs);
      return { images, texts };
    },
  };
}

const subjects: Readonly<Record<string, (engine: Engine, golden: Golden) => Subject>> = {
  clip(engine, golden) {
    const configuration = clip.fromHuggingFace(golden.config);
    return towers(engine, clip.create(engine, configuration) as never, golden, clip.weights(configuration));
  },
  "open-clip"(engine, golden) {
    const configuration = fromOpenClip(golden.config);
    return towers(engine, clip.create(engine, configuration) as never, golden, openClipWeights(configuration));
  },
  siglip(engine, golden) {
    const configuration = siglip.fromHuggingFace(golden.config);
    return towers(engine, siglip.create(engine, configuration) as never, golden, siglip.weights(configuration));
  },
  vit(engine, golden) {
    const configuration = vit.fromHuggingFace(golden.config);
    const model = new VitModel(engine, configuration);
    const pixels = () => ({
      images: golden.pairs,
      pixels: engine.constant(Float32Array.from(golden.pixels), [golden.pairs, 3, imageSize, imageSize]),
    });
    return {
      arena: model.arena,
      mappings: vit.weights(configuration),
      step: () =>
        engine.scope({ record: true }, () => {
          const logits = model.classify(engine, pixels());
          // The identity as the head: its products are the logits.
          const identity = Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? 1 : 0));
          const targets = engine.constant(Int32Array.from({ length: golden.pairs }, (_, i) => i % 3));
          const { loss } = engine.run(
            headCrossEntropy,
            { x: logits, weight: engine.input(identity, [3, 3]) },
            { targets, normalizer: golden.pairs },
          );
          engine.backward(loss);
          return engine.scalar(loss);
        }),
      outputs: () =>
        engine.scope({ record: false }, async () => ({
          logits: await engine.backend.read(model.classify(engine, pixels()).tensor),
          features: await engine.backend.read(model.features(engine, pixels()).tensor),
        })),
    };
  },
};

/** As the file has it: transposed where the file's is. */
async function asTheirs(backend: Backend, tensor: Tensor, mapping: WeightMapping): Promise<Float32Array> {
  const data = await backend.read(tensor);
  return mapping.transposed ? transposed(data, tensor.shape) : data;
}

describe.each(["reference", ...supportedLevels()])("on %s", (level) => {
  describe.each(Object.keys(subjects))("the small %s of its own library", (name) => {
    const golden = goldenOf(name);
    let fixture: SafetensorsFile;
    let backend: Backend;
    let engine: Engine;

    beforeAll(async () => {
      fixture = readSafetensors(`test/golden/fixtures/image-text/${name}.safetensors`);
      backend = await createBackend(level === "reference" ? "reference" : "cpu", {
        level: level === "reference" ? undefined : level,
      });
      engine = new Engine(backend);
    });
    afterAll(() => {
      fixture.close();
      backend.dispose();
    });

    function initial(): Subject {
      const subject = subjects[name](engine, golden);
      for (const mapping of subject.mappings) {
        const { data, shape } = fixture.floats(`initial/${mapping.name}`);
        expect(shape, mapping.name).toEqual(mapping.shape);
        backend.write(
          mappedTensor(subject.arena, mapping),
          mapping.transposed ? transposed(data, mapping.shape) : data,
        );
      }
      return subject;
    }

    it("has its outputs, loss and all gradients", async () => {
      const subject = initial();
      const names = fixture.names.filter((one) => one.startsWith("initial/")).map((one) => one.slice(8));
      expect(subject.mappings.map((mapping) => mapping.name).sort()).toEqual(names.sort());
      for (const [output, data] of Object.entries(await subject.outputs())) {
        expect(relativeDifference(data, fixture.floats(`outputs/${output}`).data), output).toBeLessThan(2e-5);
      }
      const loss = await subject.step();
      expect(Math.abs(loss - golden.loss) / golden.loss).toBeLessThan(1e-5);
      for (const mapping of subject.mappings) {
        const { tensor, parameterGradient } = subject.arena.get(mapping.parameter);
        const view = mappedTensor(subject.arena, mapping);
        const offset = parameterGradient.offset + view.offset - tensor.offset;
        const gradient = await asTheirs(backend, { ...view, storage: parameterGradient.storage, offset }, mapping);
        const theirs = fixture.floats(`gradients/${mapping.name}`).data;
        // The gradient of a key's bias is zero but for rounding: softmax does not change with it.
        const size = Math.max(...theirs.map(Math.abs));
        if (size < 1e-6) expect(Math.max(...gradient.map(Math.abs)), mapping.name).toBeLessThan(1e-5);
        else expect(relativeDifference(gradient, theirs), mapping.name).toBeLessThan(1e-4);
      }
      subject.arena.dispose();
    });

    it("has the losses, gradient norms and weights of ten steps", async () => {
      const subject = initial();
      const optimizer = new AdamW(subject.arena, {
        ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maximumGradientNorm: 1 },
      });
      for (const expected of golden.steps) {
        const loss = await subject.step();
        optimizer.update(3e-3);
        const gradientNorm = await engine.scalar(optimizer.gradientNorm);
        expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(1e-4);
        expect(Math.abs(gradientNorm - expected.gradientNorm) / expected.gradientNorm).toBeLessThan(1e-4);
      }
      for (const mapping of subject.mappings) {
        const decided = (data: Float32Array) => withoutKeyBias(mapping.name, data);
        const ours = decided(await asTheirs(backend, mappedTensor(subject.arena, mapping), mapping));
        const theirs = decided(fixture.floats(`final/${mapping.name}`).data);
        expect(relativeDifference(ours, theirs), mapping.name).toBeLessThan(1e-4);
      }
      optimizer.dispose();
      subject.arena.dispose();
    });
  });
});

describe("a contrastive batch in parts", () => {
  it.each(["clip", "siglip"])("has the gradients of the whole: %s", async (name) => {
    const golden = goldenOf(name);
    const backend = await createBackend("reference");
    const architecture = name === "clip" ? clip : siglip;
    const gradientsWith = async (microBatchPairs: number, activationCheckpointing: boolean) => {
      const engine = new Engine(backend, { activationCheckpointing });
      const model = architecture.create(engine, architecture.fromHuggingFace(golden.config) as never) as ImageTextModel;
      model.arena.initialize(3);
      const loss = await contrastiveStep(engine, model, pairsOf(golden), microBatchPairs);
      const gradients = await backend.read(model.arena.gradientArena());
      model.dispose();
      return { loss, gradients };
    };
    const whole = await gradientsWith(golden.pairs, false);
    for (const [parts, checkpointing] of [
      [2, false],
      [1, true],
      [4, true],
    ] as const) {
      const cached = await gradientsWith(parts, checkpointing);
      expect(cached.loss).toBeCloseTo(whole.loss, 6);
      const difference = relativeDifference(cached.gradients, whole.gradients);
      expect(difference, `parts of ${parts}, checkpointing ${checkpointing}`).toBeLessThan(2e-6);
    }
  });
});
