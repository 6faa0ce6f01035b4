import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createBackend } from "../../src/engine/index.ts";
import { exportHuggingFace, openCheckpoint } from "../../src/export/index.ts";
import { writeLlama } from "../support/checkpoints.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "tilth-continue-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...words: string[]) =>
  spawnSync(process.execPath, [join(root, "dist", "cli.js"), ...words], { encoding: "utf8", cwd: folder });

it("tilth train --continue-from starts from the model, the weights and the tokenizer of a sharded bf16 folder", async () => {
  const backend = await createBackend("cpu");
  const [made, open] = [join(folder, "made"), join(folder, "open")];
  await writeLlama(made, backend);
  backend.dispose();
  const checkpoint = openCheckpoint(made);
  await exportHuggingFace(checkpoint, open, { type: "bf16", shardBytes: 60_000 });
  checkpoint.weights.close();
  expect(readdirSync(open).filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(2);

  const text = join(folder, "text");
  cpSync(join(root, "src"), text, { recursive: true });
  const configuration = {
    runFolder: "run",
    corpus: {
      sources: [{ reader: "folder", path: "text" }],
      settings: { licences: { accept: ["allow", "attribute", "review"] } },
    },
    training: {
      steps: 3,
      sequenceLength: 64,
      batchSequences: 2,
      microBatchSequences: 2,
      learningRate: 1e-9,
      schedule: { warmupSteps: 1 },
    },
  };
  writeFileSync(join(folder, "tilth.config.json"), JSON.stringify(configuration));
  const ran = tilth("train", "tilth.config.json", "--continue-from", open, "--set", "device.precision=f32", "--json");
  expect(ran.status, ran.stderr).toBe(0);
  const latest = join(
    folder,
    "run",
    "checkpoints",
    readFileSync(join(folder, "run/checkpoints/latest"), "utf8").trim(),
  );
  expect(readFileSync(join(latest, "tokenizer.json"), "utf8")).toBe(readFileSync(join(made, "tokenizer.json"), "utf8"));

  // With next to no learning rate, three steps leave the weights where they were.
  const [before, after] = [openCheckpoint(open), openCheckpoint(latest)];
  for (const name of after.weights.names) {
    const [a, b] = [before.weights.floats(name).data, after.weights.floats(name).data];
    expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]))), name).toBeLessThan(1e-6);
  }
  before.weights.close();
  after.weights.close();

  const broken = tilth("train", "tilth.config.json", "--continue-from", text, "--run", "other");
  expect(broken.status).not.toBe(0);
  expect(broken.stderr).toMatch(/has no config.json/);
});

it("tilth inspect says what a folder and a GGUF file hold, and what does not fit", async () => {
  const place = join(folder, "inspected");
  const backend = await createBackend("cpu");
  await writeLlama(place, backend);
  backend.dispose();
  const described = JSON.parse(tilth("inspect", place, "--json").stdout);
  expect(described).toMatchObject({
    format: "huggingface",
    architecture: "LlamaForCausalLM",
    readAs: "llama",
    problems: [],
  });
  expect(described.tokenizer.vocabularySize).toBe(512);
  expect(described.memoryBytes.training).toBe(described.parameters * 16);

  expect(tilth("export", place, "--to", "gguf", "--type", "q8_0", "--out", "m.gguf").status).toBe(0);
  const gguf = JSON.parse(tilth("inspect", "m.gguf", "--json").stdout);
  expect(gguf).toMatchObject({ format: "gguf", architecture: "llama", tensors: described.tensors });
  expect(gguf.parameters).toBe(described.parameters);

  const config = JSON.parse(readFileSync(join(place, "config.json"), "utf8"));
  writeFileSync(join(place, "config.json"), JSON.stringify({ ...config, hidden_size: 128 }));
  const wrong = tilth("inspect", place);
  expect(wrong.stdout).toMatch(/problem: .*embed_tokens.weight has shape \[520, 64\] instead of \[520, 128\]/);
});
