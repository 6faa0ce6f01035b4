import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { readSafetensors, type SafetensorsFile } from "../../src/formats/index.ts";
import { gpt2, llama, mappedTensor } from "../../src/models/index.ts";

const { lengths, tokens, configurations } = JSON.parse(readFileSync("test/golden/fixtures/rope/rope.json", "utf8")) as {
  lengths: number[];
  tokens: number[][];
  configurations: Record<string, Record<string, unknown>>;
};

describe.each(["reference", "cpu"])("rotary scaling on %s", (name) => {
  let fixture: SafetensorsFile;
  let backend: Backend;
  beforeAll(async () => {
    fixture = readSafetensors("test/golden/fixtures/rope/rope.safetensors");
    backend = await createBackend(name);
  });
  afterAll(() => {
    fixture.close();
    backend.dispose();
  });

  it.each(Object.keys(configurations))("has transformers' logits: %s", async (form) => {
    const configuration = llama.fromHuggingFace(configurations[form]);
    expect(configuration.context).toBe(32);
    // Written and read again, it is the same model.
    const again = llama.fromHuggingFace(JSON.parse(JSON.stringify(llama.toHuggingFace(configuration))));
    expect(again).toEqual(configuration);
    const engine = new Engine(backend);
    const model = llama.create(engine, configuration);
    for (const mapping of llama.weights(configuration)) {
      backend.write(mappedTensor(model.arena, mapping), fixture.floats(`weights/${mapping.name}`).data);
    }
    // The longer one first and last: dynamic scaling must come back from it.
    for (const length of [...lengths, ...lengths]) {
      const batch = { sequences: 2, length, tokens: Int32Array.from(tokens.flatMap((row) => row.slice(0, length))) };
      const expected = fixture.floats(`${form}/${length}`).data;
      const logits = await engine.scope({ record: false }, async () => {
        const { hidden, head } = model.forward(engine, batch);
        const out = engine.allocate([batch.tokens.length, configuration.vocabularySize]);
        backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
        return backend.read(out);
      });
      const largest = Math.max(...expected.map(Math.abs));
      const worst = Math.max(...expected.map((value, i) => Math.abs(value - logits[i])));
      expect(worst / largest, `length ${length}`).toBeLessThan(2e-5);
    }
    model.dispose();
  });
});

const base = llama.fromHuggingFace({
  ...configurations.linear,
  max_position_embeddings: 64,
  rope_parameters: undefined,
});

it("a longer context is given its factor and original context, and grows again by the same rule", () => {
  const yarn = llama.withContext!(base, { context: 256, ropeScaling: { kind: "yarn" } });
  expect(yarn).toMatchObject({ context: 256, ropeScaling: { kind: "yarn", factor: 4, originalContext: 64 } });
  const more = llama.withContext!(yarn, { context: 512, ropeScaling: { kind: "yarn" } });
  expect(more.ropeScaling).toMatchObject({ factor: 8, originalContext: 64 });
  const linear = llama.withContext!(base, { context: 128, ropeScaling: { kind: "linear" } });
  expect(llama.withContext!(linear, { context: 256, ropeScaling: { kind: "linear" } }).ropeScaling).toEqual({
    kind: "linear",
    factor: 4,
  });
  expect(llama.withContext!(base, { context: 256, ropeTheta: 500_000 })).toMatchObject({ ropeTheta: 500_000 });
});

it("says what does not fit: no rule, another rule, an unknown one, learned positions", () => {
  expect(() => llama.withContext!(base, { context: 256 })).toThrow(/256 tokens needs continuation.ropeScaling/);
  const linear = llama.withContext!(base, { context: 128, ropeScaling: { kind: "linear" } });
  expect(() => llama.withContext!(linear, { context: 256, ropeScaling: { kind: "yarn" } })).toThrow(
    /scaled by the rule "linear" already/,
  );
  expect(() => llama.withContext!(base, { context: 256, ropeScaling: { kind: "yarn", betaFats: 3 } })).toThrow(
    /betaFats/,
  );
  const unknown = { ...configurations.linear, rope_parameters: { rope_type: "longrope", factor: 2 } };
  expect(() => llama.fromHuggingFace(unknown)).toThrow(/"rope_scaling" is of the type "longrope"/);
  expect(gpt2.withContext).toBeUndefined();
});
