import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import { imageSettings, toPreprocessorConfig } from "../../src/images/index.ts";
import { type EvaluateProbeInput, evaluateProbeJob } from "../../src/jobs/index.ts";
import { clip } from "../../src/models/index.ts";
import { writeModel } from "../../src/training/index.ts";
import { trainedTokenizer, writeLlama } from "../support/checkpoints.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-probe-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const probe = (input: Pick<EvaluateProbeInput, "checkpoint" | "data">) =>
  evaluateProbeJob.run(
    { ...input, pooling: "mean", testShare: 0.3, seed: 1, device: { backend: "reference" } },
    { emit: () => {}, shouldStop: () => false },
  );

describe("probes of a checkpoint", () => {
  beforeAll(async () => {
    const backend = await createBackend("reference");
    await writeLlama(join(folder, "text"), backend);
    const tokenizer = await trainedTokenizer();
    const configuration = clip.schema.parse({
      ...{ vocabularySize: tokenizer.vocabularySize, endOfText: tokenizer.endOfText, context: 8, embeddingWidth: 16 },
      text: { width: 16, layers: 1, attentionHeads: 1 },
      vision: { width: 16, layers: 1, attentionHeads: 1, imageSize: 24, patchSize: 8 },
    });
    const model = clip.create(new Engine(backend), configuration);
    model.arena.initialize(3);
    const images = imageSettings.parse({ size: 24, background: "#ffffff" });
    await writeModel(join(folder, "pairs"), model as never, {
      "tokenizer.json": tokenizer.toJson(),
      "preprocessor_config.json": JSON.stringify(toPreprocessorConfig(images)),
    });
  });

  it("tell texts of different words apart, and nothing where labels say nothing", async () => {
    const words = { law: ["licence", "work", "notice"], nature: ["bird", "river", "cloud"] };
    const lines = Array.from({ length: 200 }, (_, i) => {
      const label = i % 2 === 0 ? "law" : "nature";
      const text = Array.from({ length: 6 }, (_, k) => words[label][(i * 7 + k * k + (i >> 3)) % 3]).join(" ");
      return { text: `${i} ${text}`, label };
    });
    const file = join(folder, "labelled.jsonl");
    writeFileSync(file, lines.map((line) => JSON.stringify(line)).join("\n"));
    const found = await probe({ checkpoint: join(folder, "text"), data: { texts: file } });
    expect(found.classes).toEqual(["law", "nature"]);
    expect(found.train + found.test).toBe(200);
    expect(found.trained.linear.value).toBeGreaterThan(0.95);
    expect(found.trained.linear.interval[0]).toBeGreaterThan(found.majorityAccuracy);
    expect(found.trained.nearestNeighbours.value).toBeGreaterThan(0.9);
    // Pairs of lines with one text and both labels: whatever a probe says, it is wrong half the time.
    const torn = lines.flatMap(({ text }) => ["law", "nature"].map((label) => ({ text, label })));
    writeFileSync(file, torn.map((line) => JSON.stringify(line)).join("\n"));
    const nothing = await probe({ checkpoint: join(folder, "text"), data: { texts: file } });
    expect(nothing.trained.linear.value).toBe(0.5);
    expect(nothing.untrained.nearestNeighbours.value).toBe(0.5);
  });

  it("tell classes of pictures apart, and keep groups on one side", async () => {
    const found = await probe({ checkpoint: join(folder, "pairs"), data: { images: "examples/emoji" } });
    expect(found.classes).toHaveLength(9);
    expect(found.train + found.test).toBe(1178);
    // Even untrained patches say something of colour and shape.
    expect(found.trained.linear.interval[0]).toBeGreaterThan(found.majorityAccuracy);
  });

  it("name the line that is no labelled text, and too few classes", async () => {
    const file = join(folder, "wrong.jsonl");
    writeFileSync(file, '{"text": "a", "label": "x"}\n{"text": "b"}\n');
    const of = () => probe({ checkpoint: join(folder, "text"), data: { texts: file } });
    await expect(of()).rejects.toThrow("wrong.jsonl, row 2: label");
    writeFileSync(file, '{"text": "a", "label": "x"}\n');
    await expect(of()).rejects.toThrow("examples of two classes");
  });
});
