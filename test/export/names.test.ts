/** Folders that name the same tensors otherwise: bare models, the hub's first BERT, open_clip. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { describeModelFile, exportHuggingFace, exportOpenClip, openCheckpoint } from "../../src/export/index.ts";
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from "../../src/formats/index.ts";
import type { LanguageModel } from "../../src/models/index.ts";
import {
  loadWeights,
  readImageTextConfiguration,
  readModelConfiguration,
  type StoredModel,
} from "../../src/training/index.ts";
import { textFamilies, writeImageTextFamily, writeTextFamily } from "../support/families.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-names-"));
let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("reference");
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the folder's tensors under other names, with those that `more` adds. */
function rename(place: string, change: (name: string) => string, more: SafetensorsEntry[] = []): void {
  const path = join(place, "model.safetensors");
  const file = readSafetensors(path);
  const entries = file.names.map((name) => ({ ...file.raw(name), name: change(name) }));
  file.close();
  writeSafetensors(path, [...entries, ...more], { format: "pt" });
}

const values = async (model: StoredModel) => backend.read(model.arena.valueArena());
const ones = (name: string, shape: number[]): SafetensorsEntry => {
  const data = new Float32Array(shape.reduce((a, b) => a * b)).fill(1);
  return { name, shape, type: "F32", data };
};

it.each<[string, object, (name: string) => string, SafetensorsEntry[]]>([
  ["gpt2", {}, (name) => name.replace("transformer.", ""), [ones("h.0.attn.bias", [1, 1, 64, 64])]],
  ["llama", { tiedEmbeddings: true }, (name) => name.replace("model.", ""), []],
  [
    "bert",
    { nextSentence: false },
    (name) =>
      name
        .replace(/^bert\./, "")
        .replace(/LayerNorm\.weight$/, "LayerNorm.gamma")
        .replace(/LayerNorm\.bias$/, "LayerNorm.beta"),
    [ones("pooler.dense.weight", [32, 32]), ones("cls.predictions.decoder.weight", [131, 32])],
  ],
  ["roberta", {}, (name) => name.replace("roberta.", ""), []],
])(
  "%s loads under the names of the hub's files, buffers and unused heads left out",
  async (name, settings, change, more) => {
    const place = join(folder, name);
    const configuration = { ...textFamilies[name].configuration, ...settings };
    const model = await writeTextFamily(place, backend, { name, configuration });
    rename(place, change, more);
    const read = readModelConfiguration(place);
    const again = read.architecture.create(new Engine(backend), read.configuration) as LanguageModel;
    loadWeights(place, again);
    expect(await values(again)).toEqual(await values(model));
    expect(describeModelFile(place).problems.filter((problem) => !problem.includes("tokenizer.json"))).toEqual([]);
  },
);

it("a tensor that comes under two names is refused", async () => {
  const place = join(folder, "twice");
  await writeTextFamily(place, backend, { name: "gpt2", ...textFamilies.gpt2 });
  rename(place, (name) => name, [ones("ln_f.weight", [32])]);
  expect(() => openCheckpoint(place)).toThrow(/"ln_f.weight".* the same one as "transformer.ln_f.weight"/);
});

it("a CLIP goes to open_clip's form and back bit for bit", async () => {
  const place = join(folder, "clip");
  const model = await writeImageTextFamily(place, backend, "clip");
  const convert = async (from: string, to: string, how: typeof exportOpenClip | typeof exportHuggingFace) => {
    const checkpoint = openCheckpoint(join(folder, from));
    await how(checkpoint, join(folder, to), { type: "f32", shardBytes: 50_000 });
    checkpoint.weights.close();
  };
  await convert("clip", "open", exportOpenClip);
  expect(existsSync(join(folder, "open", "config.json"))).toBe(false);
  const { model_cfg } = JSON.parse(readFileSync(join(folder, "open", "open_clip_config.json"), "utf8"));
  expect(model_cfg.vision_cfg).toMatchObject({ image_size: 24, patch_size: 8, width: 48, head_width: 12 });
  await convert("open", "back", exportHuggingFace);
  for (const name of ["open", "back"]) {
    const read = readImageTextConfiguration(join(folder, name));
    const again = read.architecture.create(new Engine(backend), read.configuration);
    loadWeights(join(folder, name), again);
    expect(await values(again), name).toEqual(await values(model));
    again.dispose();
  }
  expect(describeModelFile(join(folder, "open")).architecture).toMatch(/CLIP/);
  model.dispose();
});

it("what open_clip's towers do not have, or another architecture, is refused", async () => {
  const place = join(folder, "siglip");
  (await writeImageTextFamily(place, backend, "siglip")).dispose();
  const checkpoint = openCheckpoint(place);
  await expect(exportOpenClip(checkpoint, join(folder, "no"), { type: "f32" })).rejects.toThrow(/is no CLIP/);
  checkpoint.weights.close();
  const open = join(folder, "unknown");
  await convertAndDamage(open);
  expect(() => openCheckpoint(open)).toThrow(/open_clip_config.json: .*timm/);
});

async function convertAndDamage(open: string): Promise<void> {
  const checkpoint = openCheckpoint(join(folder, "clip"));
  await exportOpenClip(checkpoint, open, { type: "f32" });
  checkpoint.weights.close();
  const file = join(open, "open_clip_config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.model_cfg.vision_cfg.timm_model_name = "resnet50";
  writeFileSync(file, JSON.stringify(config));
}
