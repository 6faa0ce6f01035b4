import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createBackend, Engine, elementCount } from "../../src/engine/index.ts";
import { llama, llamaConfiguration } from "../../src/models/index.ts";
import { loadWeights, readModelConfiguration, writeModel } from "../../src/training/index.ts";

const python = process.env.TILTH_PYTHON ?? "python3";
const folder = mkdtempSync(join(tmpdir(), "tilth-transformers-"));

const program = `
import json, sys, torch
from transformers import AutoModelForCausalLM
folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
ids = torch.tensor(json.load(open(folder + "/ids.json")))
with torch.no_grad():
    json.dump(model(ids).logits.flatten().tolist(), open(folder + "/logits.json", "w"))
`;

describe.each([true, false])("a checkpoint with a tied head: %s", (tiedEmbeddings) => {
  const configuration = llamaConfiguration.parse({
    vocabularySize: 300,
    width: 48,
    layers: 3,
    attentionHeads: 6,
    keyValueHeads: 2,
    headSize: 8,
    mlpWidth: 100,
    context: 96,
    tiedEmbeddings,
    initializerStandardDeviation: 0.2,
  });
  const place = join(folder, String(tiedEmbeddings));

  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it("comes back bit for bit, and gives the logits of Hugging Face transformers within 1e-4", async (context) => {
    const backend = await createBackend("cpu");
    const engine = new Engine(backend);
    const model = llama.create(engine, configuration);
    model.arena.initialize(3);
    mkdirSync(place, { recursive: true });
    await writeModel(place, model, {});

    const read = readModelConfiguration(place);
    expect(read.configuration).toEqual(configuration);
    const again = read.architecture.create(engine, read.configuration);
    loadWeights(place, again);
    expect(await backend.read(again.arena.valueArena())).toEqual(await backend.read(model.arena.valueArena()));

    if (spawnSync(python, ["-c", "import torch, transformers"]).status !== 0) {
      return context.skip(`${python} has no torch and transformers`);
    }
    const tokens = Int32Array.from({ length: 96 }, (_, i) => (i * 37 + 5) % 300);
    writeFileSync(join(place, "ids.json"), JSON.stringify([[...tokens]]));
    const ran = spawnSync(python, ["-c", program, place], { encoding: "utf8" });
    expect(ran.status, ran.stderr).toBe(0);
    const theirs: number[] = JSON.parse(readFileSync(join(place, "logits.json"), "utf8"));
    const ours = await engine.scope({ record: false }, () => {
      const { hidden, head } = model.forward(engine, { sequences: 1, length: tokens.length, tokens });
      const logits = engine.allocate([tokens.length, configuration.vocabularySize]);
      backend.kernels.matmul(logits, hidden.tensor, head.tensor, { transposeB: true });
      expect(elementCount(logits)).toBe(theirs.length);
      return backend.read(logits);
    });
    expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(1);
    expect(Math.max(...theirs.map((logit, i) => Math.abs(logit - ours[i])))).toBeLessThan(1e-4);
    backend.dispose();
  });
});
