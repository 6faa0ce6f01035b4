import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoraAdapter, loraSettings, loraTargets, readPeftFolder, writePeftFolder } from "../../src/adaptation/index.ts";
import { type Backend, createBackend, Engine, type Variable } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import type { ImageTextModel, LanguageModel } from "../../src/models/index.ts";
import { loadWeights } from "../../src/training/index.ts";
import { textFamilies, writeImageTextFamily, writeTextFamily } from "../support/families.ts";

let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tilth-lora-"));
  backend = await createBackend("cpu", { threads: 1 });
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true });
});

const tokens = Int32Array.from({ length: 2 * 11 }, (_, i) => (i * 13) % 120);
const pixels = Float32Array.from({ length: 2 * 3 * 24 * 24 }, (_, i) => Math.sin(i));

function outputOf(engine: Engine, model: LanguageModel | ImageTextModel): Promise<Float32Array> {
  return engine.scope({ record: false }, () => {
    const out: Variable =
      "encode" in model
        ? model.encode(engine, { sequences: 2, length: 11, tokens })
        : model.embedImages(engine, { images: 2, pixels: engine.constant(pixels, [2, 3, 24, 24]) });
    return engine.backend.read(out.tensor);
  });
}

/** An adapter whose updates are as large as weights. */
function adapterOn(engine: Engine, model: LanguageModel | ImageTextModel, options: object = {}): LoraAdapter {
  const settings = loraSettings.parse({ rank: 3, ...options });
  const adapter = new LoraAdapter(
    engine,
    model,
    settings,
    loraTargets(model.architecture, model.configuration, settings),
  );
  adapter.arena.initialize(1);
  const random = new Random(2);
  for (const target of adapter.targets) {
    const { b } = adapter.matricesOf(target);
    engine.backend.write(
      b,
      Float32Array.from({ length: b.shape[0] * b.shape[1] }, () => 0.1 * random.normal()),
    );
  }
  return adapter;
}

const difference = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
const names = [...Object.keys(textFamilies), "clip"];

function write(place: string, name: string): Promise<LanguageModel | ImageTextModel> {
  if (name === "clip") return writeImageTextFamily(place, backend, "clip");
  return writeTextFamily(place, backend, { name: textFamilies[name].architecture ?? name, ...textFamilies[name] });
}

describe.each(names)("on a %s", (name) => {
  it("merged is unmerged, unmerged again is as before, and what is written is read", async () => {
    const place = join(folder, name);
    const model = await write(place, name);
    const engine = new Engine(backend);
    const before = await outputOf(engine, model);
    const adapter = adapterOn(engine, model);
    adapter.attach();
    const adapted = await outputOf(engine, model);
    expect(difference(adapted, before)).toBeGreaterThan(0.01);
    await writePeftFolder(join(place, "adapter"), adapter, { base: place, task: "CAUSAL_LM" });
    adapter.merge();
    expect(difference(await outputOf(engine, model), adapted)).toBeLessThan(1e-5);
    adapter.unmerge();
    adapter.detach();
    expect(difference(await outputOf(engine, model), before)).toBeLessThan(1e-5);
    const again = readPeftFolder(join(place, "adapter"), engine, model);
    again.attach();
    expect(difference(await outputOf(engine, model), adapted)).toBeLessThan(1e-5);
    again.dispose();
    adapter.dispose();
    model.dispose();
  });
});

it("computes in bf16 what it computes in f32, to bf16's rounding", async () => {
  const place = join(folder, "precision");
  const model = await write(place, "llama");
  const adapter = adapterOn(new Engine(backend), model);
  await writePeftFolder(join(place, "adapter"), adapter, { base: place, task: "CAUSAL_LM" });
  const outputs: Float32Array[] = [];
  for (const precision of ["f32", "bf16"] as const) {
    const other = await createBackend("reference", { precision });
    const engine = new Engine(other, { use: { matrices: "f32" } });
    const copy = model.architecture.create(engine, model.configuration as never) as LanguageModel;
    loadWeights(place, copy);
    readPeftFolder(join(place, "adapter"), engine, copy).attach();
    const values = await outputOf(engine, copy);
    outputs.push(values);
    other.dispose();
  }
  expect(difference(outputs[0], outputs[1])).toBeGreaterThan(0);
  expect(difference(outputs[0], outputs[1])).toBeLessThan(0.1);
});

it("names what it does not read", async () => {
  const place = join(folder, "refused");
  const model = await write(place, "llama");
  const engine = new Engine(backend);
  const adapter = adapterOn(engine, model);
  await writePeftFolder(place, adapter, { base: place, task: "CAUSAL_LM" });
  const file = join(place, "adapter_config.json");
  const written = JSON.parse(readFileSync(file, "utf8")) as object;
  const refuses = (change: object, message: string) => {
    writeFileSync(file, JSON.stringify({ ...written, ...change }));
    expect(() => readPeftFolder(place, engine, model)).toThrow(message);
  };
  refuses({ use_dora: true }, '"use_dora"');
  refuses({ peft_type: "LOHA" }, '"peft_type"');
  refuses({ r: 4 }, "has shape");
  refuses({ target_modules: ["lm_head"] }, 'there is no linear layer of a llama "lm_head"');
  expect(() => readPeftFolder(folder, engine, model)).toThrow("has no adapter_config.json");
  model.dispose();
});
