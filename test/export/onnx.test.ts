import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Backend, createBackend, Engine, tensorOver } from "../../src/engine/index.ts";
import { exportOnnx, openCheckpoint } from "../../src/export/index.ts";
import { Random } from "../../src/foundation/index.ts";
import type { HiddenStates, LanguageModel, LlamaConfiguration, TokenBatch } from "../../src/models/index.ts";
import { textFamilies, writeImageTextFamily, writeTextFamily, writeVit } from "../support/families.ts";
import { type OnnxArray, onnxCheckerProblem, onnxRuntimeMissing, openOnnx } from "../support/onnxruntime.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-onnx-"));
let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("reference");
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const vocabulary = 131;
const tolerance = 1e-4;

function randomTokens(seed: number, count: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => 3 + random.below(vocabulary - 5));
}

/** Logits of every token that `states` holds. */
async function logitsOf(engine: Engine, forward: () => HiddenStates): Promise<Float32Array> {
  return engine.scope({ record: false }, async () => {
    const { hidden, head, headBias } = forward();
    const out = engine.allocate([hidden.tensor.shape[0], vocabulary]);
    backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
    if (headBias !== undefined) {
      const row = tensorOver(headBias.tensor.storage, [1, vocabulary], "f32", headBias.tensor.offset);
      backend.kernels.addRows(out, out, row);
    }
    return backend.read(out);
  });
}

function expectClose(actual: Float32Array, expected: Float32Array, limit = tolerance): void {
  expect(actual.length).toBe(expected.length);
  const spread = Math.max(...expected.map(Math.abs));
  expect(spread).toBeGreaterThan(0.05);
  expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]))) / Math.max(1, spread)).toBeLessThan(
    limit,
  );
}

async function exported(place: string, options: Partial<Parameters<typeof exportOnnx>[2]> = {}) {
  const checkpoint = openCheckpoint(place);
  const out = `${place}-onnx`;
  const written = await exportOnnx(checkpoint, out, { type: "F32", ...options });
  checkpoint.weights.close();
  for (const file of written.files.filter((name) => name.endsWith(".onnx"))) {
    const problem = onnxCheckerProblem(join(out, file));
    if (problem !== undefined) expect(problem, file).toBe("");
  }
  return { ...written, out };
}

const missing = onnxRuntimeMissing();

describe.skipIf(missing !== undefined)(`onnxruntime with exported models (${missing ?? "runs"})`, () => {
  describe.each(Object.entries(textFamilies).filter(([name]) => !/bert/.test(name)))("%s", (name, family) => {
    let model: LanguageModel;
    const place = join(folder, name.replaceAll(" ", "-"));
    const architecture = family.architecture ?? name;
    beforeAll(async () => {
      model = await writeTextFamily(place, backend, { name: architecture, configuration: family.configuration });
    });
    afterAll(() => model.dispose());

    /** An empty cache, or what a session returned. */
    function cacheInputs(batch: number, outputs?: Record<string, { shape: number[]; data: Float32Array }>) {
      const one = model.configuration as LlamaConfiguration;
      const shape = [batch, one.keyValueHeads ?? one.attentionHeads, 0, one.headSize ?? one.width / one.attentionHeads];
      const names = Array.from({ length: one.layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
      return Object.fromEntries(
        names.map((part): [string, OnnxArray] => [
          `past_key_values.${part}`,
          outputs === undefined ? { shape, data: new Float32Array(0) } : outputs[`present.${part}`],
        ]),
      );
    }

    /** Ids, mask and positions of tokens that follow `before` others. */
    const textInputs = (batch: number, ids: number[], before = 0): Record<string, OnnxArray> => {
      const length = ids.length / batch;
      return {
        input_ids: { shape: [batch, length], data: ids },
        attention_mask: { shape: [batch, before + length], data: Array(batch * (before + length)).fill(1) },
        position_ids: { shape: [batch, length], data: ids.map((_, i) => before + (i % length)) },
      };
    };

    it("has Tilth's logits for any batch and length, and the same token by token from its cache", async () => {
      const { out } = await exported(place);
      const session = await openOnnx(join(out, "model.onnx"));
      expect([...session.inputNames].slice(0, 3)).toEqual(["input_ids", "attention_mask", "position_ids"]);
      expect(session.outputNames).toContain("present.1.value");
      const engine = new Engine(backend);
      for (const [sequences, length] of [
        [1, 1],
        [3, 19],
        [2, 33],
      ]) {
        const ids = randomTokens(length, sequences * length);
        const batch: TokenBatch = { sequences, length, tokens: Int32Array.from(ids) };
        const ours = await logitsOf(engine, () => model.forward(engine, batch));
        const whole = await session.run({ ...textInputs(sequences, ids), ...cacheInputs(sequences) });
        expect(whole.logits.shape).toEqual([sequences, length, vocabulary]);
        expectClose(whole.logits.data, ours);
        if (length < 3) continue;
        // The same in three pieces: some, one, the rest.
        let outputs: Awaited<ReturnType<typeof session.run>> | undefined;
        for (const [from, to] of [
          [0, length - 5],
          [length - 5, length - 4],
          [length - 4, length],
        ]) {
          const piece = Array.from({ length: sequences }, (_, s) =>
            ids.slice(s * length + from, s * length + to),
          ).flat();
          outputs = await session.run({ ...textInputs(sequences, piece, from), ...cacheInputs(sequences, outputs) });
          const wanted = Array.from({ length: sequences }, (_, s) => [
            ...ours.subarray((s * length + from) * vocabulary, (s * length + to) * vocabulary),
          ]).flat();
          expectClose(outputs.logits.data, Float32Array.from(wanted));
        }
      }
      await session.close();
    });

    it("takes padding at the left for what it is", async () => {
      const { out } = await exported(place);
      const session = await openOnnx(join(out, "model.onnx"));
      const engine = new Engine(backend);
      const ids = randomTokens(5, 6);
      const tokens = Int32Array.from(ids);
      const ours = await logitsOf(engine, () => model.forward(engine, { sequences: 1, length: 6, tokens }));
      const inputs = {
        input_ids: { shape: [1, 9], data: [0, 0, 0, ...ids] },
        attention_mask: { shape: [1, 9], data: [0, 0, 0, 1, 1, 1, 1, 1, 1] },
        position_ids: { shape: [1, 9], data: [0, 0, 0, 0, 1, 2, 3, 4, 5] },
      };
      const { logits } = await session.run({ ...inputs, ...cacheInputs(1) });
      expectClose(logits.data.slice(3 * vocabulary), ours);
      await session.close();
    });
  });

  describe.each(["bert", "roberta", "modernbert", "modernbert with SiLU"])("%s", (name) => {
    let model: LanguageModel;
    const place = join(folder, name.replaceAll(" ", "-"));
    const { architecture = name, configuration } = textFamilies[name];
    const lengths = [17, 9, 12];
    const sequences = lengths.length;
    const length = Math.max(...lengths);
    const ids = randomTokens(3, sequences * length);
    const types = ids.map((_, i) => (i % length > 6 ? 1 : 0));
    const mask = ids.map((_, i) => (i % length < lengths[Math.floor(i / length)] ? 1 : 0));
    const batch: TokenBatch = {
      ...{ sequences, length, tokens: Int32Array.from(ids), visibleFrom: new Int32Array(ids.length) },
      visibleTo: Int32Array.from(ids, (_, i) => lengths[Math.floor(i / length)]),
      ...(name === "bert" && { types: Int32Array.from(types), sentenceLabels: new Int32Array(sequences) }),
    };
    const inputs: Record<string, OnnxArray> = {
      input_ids: { shape: [sequences, length], data: ids },
      attention_mask: { shape: [sequences, length], data: mask },
      ...(name === "bert" && { token_type_ids: { shape: [sequences, length], data: types } }),
    };
    /** Rows of tokens that are no padding. */
    const unpadded = (data: Float32Array, width: number) =>
      Float32Array.from(data.filter((_, i) => mask[Math.floor(i / width)] === 1));

    beforeAll(async () => {
      model = await writeTextFamily(place, backend, { name: architecture, configuration });
    });
    afterAll(() => model.dispose());

    it("has Tilth's logits of padded sequences", async () => {
      const { out } = await exported(place);
      const session = await openOnnx(join(out, "model.onnx"));
      const engine = new Engine(backend);
      const ours = await logitsOf(engine, () => model.forward(engine, batch));
      const outputs = await session.run(inputs);
      expectClose(unpadded(outputs.logits.data, vocabulary), unpadded(ours, vocabulary));
      if (name === "bert") {
        const sentence = await engine.scope({ record: false }, async () => {
          const { nextSentence } = model.forward(engine, batch);
          const out = engine.allocate([sequences, 2]);
          const { hidden, weight, bias } = nextSentence!;
          backend.kernels.matmul(out, hidden.tensor, weight.tensor, { transposeB: true });
          backend.kernels.addRows(out, out, tensorOver(bias.tensor.storage, [1, 2], "f32", bias.tensor.offset));
          return backend.read(out);
        });
        expectClose(outputs.seq_relationship_logits.data, sentence);
      }
      await session.close();
    });

    it("has Tilth's hidden states, for feature extraction", async () => {
      const { out, task } = await exported(place, { task: "feature-extraction" });
      expect(task).toBe("feature-extraction");
      const session = await openOnnx(join(out, "model.onnx"));
      const engine = new Engine(backend);
      const ours = await engine.scope({ record: false }, () => backend.read(model.encode(engine, batch).tensor));
      const { last_hidden_state } = await session.run(inputs);
      expectClose(unpadded(last_hidden_state.data, 32), unpadded(ours, 32));
      await session.close();
    });
  });

  const imageSize = 24;
  function randomPixels(images: number): Float32Array {
    const random = new Random(images);
    return Float32Array.from({ length: images * 3 * imageSize ** 2 }, () => random.normal());
  }
  const pixelInput = (images: number): OnnxArray => ({
    shape: [images, 3, imageSize, imageSize],
    data: randomPixels(images),
  });
  const pixelsOf = (engine: Engine, images: number) => ({
    images,
    pixels: engine.constant(randomPixels(images), [images, 3, imageSize, imageSize]),
  });

  it.each(["clip", "siglip"] as const)("has the embeddings of both towers of %s", async (name) => {
    const place = join(folder, name);
    const model = await writeImageTextFamily(place, backend, name);
    const { out, files } = await exported(place);
    expect(files).toEqual(["text_model.onnx", "vision_model.onnx"]);
    const [text, vision] = await Promise.all(files.map((file) => openOnnx(join(out, file))));
    const engine = new Engine(backend);
    const context = name === "clip" ? 20 : 12;
    for (const [sequences, length] of [
      [1, context],
      [3, name === "clip" ? 9 : context],
    ]) {
      const ids = randomTokens(length, sequences * length);
      // CLIP reads at the first end of the text; what follows is padding.
      if (name === "clip")
        for (let i = 0; i < sequences; i++) ids.fill(130, (i + 1) * length - 1 - i, (i + 1) * length);
      const tokens = Int32Array.from(ids);
      const ours = await engine.scope({ record: false }, () =>
        backend.read(model.embedTexts(engine, { sequences, length, tokens }).tensor),
      );
      const { text_embeds } = await text.run({ input_ids: { shape: [sequences, length], data: ids } });
      expectClose(text_embeds.data, ours);
    }
    for (const images of [1, 4]) {
      const ours = await engine.scope({ record: false }, () =>
        backend.read(model.embedImages(engine, pixelsOf(engine, images)).tensor),
      );
      const { image_embeds } = await vision.run({ pixel_values: pixelInput(images) });
      expectClose(image_embeds.data, ours);
    }
    await Promise.all([text.close(), vision.close()]);
    model.dispose();
  });

  it("has the logits and hidden states of a ViT", async () => {
    const place = join(folder, "vit");
    const model = await writeVit(place, backend);
    const engine = new Engine(backend);
    const classes = await openOnnx(join((await exported(place)).out, "model.onnx"));
    for (const images of [1, 3]) {
      const ours = await engine.scope({ record: false }, () =>
        backend.read(model.classify(engine, pixelsOf(engine, images)).tensor),
      );
      expectClose((await classes.run({ pixel_values: pixelInput(images) })).logits.data, ours);
    }
    await classes.close();
    const states = await openOnnx(
      join((await exported(place, { task: "image-feature-extraction" })).out, "model.onnx"),
    );
    const ours = await engine.scope({ record: false }, () =>
      backend.read(model.forward(engine, pixelsOf(engine, 2)).tensor),
    );
    expectClose((await states.run({ pixel_values: pixelInput(2) })).last_hidden_state.data, ours);
    await states.close();
    model.dispose();
  });

  it("stores matrices in 16 bits, and tensors beside the graph where one file would be too large", async () => {
    const place = join(folder, "stored");
    const model = await writeTextFamily(place, backend, { name: "llama", ...textFamilies.llama });
    const engine = new Engine(backend);
    const tokens = Int32Array.from(randomTokens(1, 12));
    const ours = await logitsOf(engine, () => model.forward(engine, { sequences: 1, length: 12, tokens }));
    const inputs: Record<string, OnnxArray> = {
      input_ids: { shape: [1, 12], data: [...tokens] },
      attention_mask: { shape: [1, 12], data: Array(12).fill(1) },
      position_ids: { shape: [1, 12], data: [...tokens.keys()] },
    };
    for (const part of ["0.key", "0.value", "1.key", "1.value"])
      inputs[`past_key_values.${part}`] = { shape: [1, 2, 0, 8], data: new Float32Array(0) };
    const bytes: Record<string, number> = {};
    for (const [type, limit] of [
      ["F32", tolerance],
      ["F16", 2e-3],
      ["BF16", 3e-2],
    ] as const) {
      const whole = await exported(place, { type });
      expect(whole.files).toEqual(["model.onnx"]);
      bytes[type] = statSync(join(whole.out, "model.onnx")).size;
      const split = await exported(place, { type, maximumFileBytes: 20_000 });
      expect(split.files).toEqual(["model.onnx", "model.onnx_data"]);
      expect(statSync(join(split.out, "model.onnx")).size).toBeLessThan(bytes[type] / 2);
      const session = await openOnnx(join(split.out, "model.onnx"));
      expectClose((await session.run(inputs)).logits.data, ours, limit);
      await session.close();
    }
    expect(bytes.F16).toBeLessThan(bytes.F32 * 0.65);
    expect(readdirSync(`${place}-onnx`)).toContain("config.json");
    model.dispose();
  });
});

it("an unknown task is refused with those that there are", async () => {
  const place = join(folder, "refused");
  const model = await writeTextFamily(place, backend, { name: "bert", ...textFamilies.bert });
  model.dispose();
  await expect(exported(place, { task: "translation" })).rejects.toThrow(/no ONNX form for the task "translation"/);
});
