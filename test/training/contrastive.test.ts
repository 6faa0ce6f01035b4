import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import { fingerprintSettings, ImageLoader, readPairs, splitPairs } from "../../src/images/index.ts";
import { evaluatePairsJob, readPairsFile, type TrainPairsInput, trainPairsJob } from "../../src/jobs/index.ts";
import { clip } from "../../src/models/index.ts";
import { retrieval } from "../../src/objectives/index.ts";
import { ContrastiveTrainer, contrastiveConfiguration, type RunRecord } from "../../src/training/index.ts";

const colours = { red: [220, 30, 30], green: [30, 200, 40], blue: [40, 40, 230], yellow: [230, 220, 40] };
const shapes = { square: "<rect x='7' y='7' width='10' height='10'", circle: "<circle cx='12' cy='12' r='6'" };
const patterns = ["plain", "with a line", "with two lines", "with a dot"];
const extras = [
  "",
  "<rect y='2' width='24' height='2'",
  "<rect y='2' width='24' height='1'",
  "<circle cx='3' cy='3' r='2'",
];

/** Coloured shapes with their descriptions, and one file that is no image. */
async function drawSet(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "tilth-pairs-"));
  const lines: string[] = [];
  for (const [colour, rgb] of Object.entries(colours)) {
    for (const [shape, path] of Object.entries(shapes)) {
      for (const [index, pattern] of patterns.entries()) {
        const image = `${colour}-${shape}-${index}.png`;
        const fill = `fill='rgb(${rgb.join()})'/>`;
        const extra = extras[index] === "" ? "" : `${extras[index]} ${fill}`;
        const drawn = `<svg xmlns='http://www.w3.org/2000/svg' width='24' height='24'>${path} ${fill}${extra}</svg>`;
        await sharp(Buffer.from(drawn)).flatten({ background: "#ffffff" }).png().toFile(join(folder, image));
        lines.push(JSON.stringify({ image, caption: `a ${colour} ${shape} ${pattern}`, class: shape }));
      }
    }
  }
  writeFileSync(join(folder, "broken.png"), "not an image");
  lines.push(JSON.stringify({ image: "broken.png", caption: "nothing" }));
  writeFileSync(join(folder, "captions.jsonl"), lines.join("\n"));
  return folder;
}

describe("a contrastive run", () => {
  let set: string;
  beforeAll(async () => {
    set = await drawSet();
  });

  const inputFor = (runFolder: string, steps: number): TrainPairsInput => ({
    runFolder,
    images: { path: set, validationShare: 0.2, testShare: 0.2 },
    vocabularySize: 300,
    device: { backend: "reference" },
    model: {
      architecture: "clip",
      configuration: {
        ...{ context: 16, embeddingWidth: 16, text: { width: 16, layers: 1, attentionHeads: 2 } },
        vision: { width: 16, layers: 1, attentionHeads: 2, imageSize: 16, patchSize: 8 },
      },
    },
    training: {
      ...{ steps, batchPairs: 8, microBatchPairs: 3, validateEvery: 3, checkpointEvery: 3, seed: 2 },
      schedule: { kind: "cosine", warmupSteps: 1 },
      augmentation: { cropShare: [0.5, 1], flip: 0.5, wordDropout: 0.3, patchDropout: 0.5 },
    },
    resume: false,
    files: {},
    peakFlops: 1e9,
  });

  it("goes on from a checkpoint with the same bits, and leaves damaged images out", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tilth-contrastive-"));
    const [whole, parted] = [join(folder, "whole"), join(folder, "parted")];
    const records: RunRecord[] = [];
    const listen = { emit: (event: unknown) => events.push(event as never), shouldStop: () => false };
    const events: { kind: string; record?: RunRecord }[] = [];
    const finished = await trainPairsJob.run(inputFor(whole, 6), listen);
    for (const { record } of events) if (record) records.push(record);
    expect(finished.data).toMatchObject({ damaged: 1, compared: true });
    expect(records.filter(({ kind }) => kind === "validation")).toHaveLength(2);
    expect(records.find(({ kind }) => kind === "validation")).toMatchObject({
      metrics: { imageToTextRecallAt1: expect.any(Number), textToImageRecallAt1: expect.any(Number) },
    });

    // Stopped between steps 4 and 5: the state of step 4 is saved, later ones are not.
    let asked = 0;
    const stopping = { emit: () => {}, shouldStop: () => ++asked > 4 };
    await expect(trainPairsJob.run(inputFor(parted, 6), stopping)).rejects.toThrow("stopped after step 4 of 6");
    const resumed = await trainPairsJob.run(
      { ...inputFor(parted, 6), resume: true },
      { emit: () => {}, shouldStop: () => false },
    );
    for (const file of ["model.safetensors", "training-state/optimizer.safetensors", "tokenizer.json"]) {
      expect(
        readFileSync(join(resumed.checkpoint, file)).equals(readFileSync(join(finished.checkpoint, file))),
        file,
      ).toBe(true);
    }

    const other = {
      ...inputFor(parted, 6),
      resume: true,
      training: { ...(inputFor(parted, 6).training as object), seed: 3 },
    };
    await expect(trainPairsJob.run(other, { emit: () => {}, shouldStop: () => false })).rejects.toThrow(
      "trained with another configuration",
    );

    const { test } = readPairsFile(whole);
    const found = await evaluatePairsJob.run(
      { checkpoint: finished.checkpoint, images: { path: set }, names: test, device: { backend: "reference" } },
      { emit: () => {}, shouldStop: () => false },
    );
    expect(found.pairs).toBe(finished.data.test);
    expect(found.imageToText.chance).toBeCloseTo(1 / found.pairs, 10);
    expect(found.zeroShot?.classes).toEqual(["circle", "square"]);
    rmSync(folder, { recursive: true });
  });

  it("holds no group and no picture back that it trains on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tilth-split-"));
    cpSync(set, folder, { recursive: true });
    mkdirSync(join(folder, "copies"));
    const lines = readFileSync(join(folder, "captions.jsonl"), "utf8").split("\n").slice(0, -1);
    // Every picture a second time under another caption: only comparing pictures can tell.
    const copies = lines.map((line) => {
      const { image } = JSON.parse(line) as { image: string };
      cpSync(join(folder, image), join(folder, "copies", image));
      return JSON.stringify({ image: `copies/${image}`, caption: `the same as ${image}` });
    });
    writeFileSync(join(folder, "captions.jsonl"), [...lines, ...copies].join("\n"));
    const { pairs } = readPairs(folder);
    const loader = new ImageLoader(fingerprintSettings, 1);
    const split = await splitPairs(pairs, loader, { validationShare: 0.25, testShare: 0.25, seed: 1 });
    await loader.close();
    expect(split.nearDuplicates).toBeGreaterThan(0);
    const held = [...split.validation, ...split.test];
    expect(Math.min(split.validation.length, split.test.length)).toBeGreaterThan(0);
    expect(split.train.length + held.length).toBe(pairs.length);
    const trained = new Set(split.train.map(({ name }) => name.replace("copies/", "")));
    expect(held.filter(({ name }) => trained.has(name.replace("copies/", "")))).toEqual([]);
  });
});

describe("retrieval", () => {
  it("counts equal captions as one text, and ties against the model", async () => {
    const engine = new Engine(await createBackend("reference"));
    const unit = (...angles: number[]) =>
      Float32Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
    const images = unit(0, 0.1, 1.5, 3);
    const texts = unit(0.05, 0.05, 1.4, 1.4);
    const { imageToText, textToImage } = await retrieval(engine, { images, texts, width: 2 }, ["a", "a", "b", "c"]);
    // Texts b and c lie in one place: neither is found first.
    expect([...imageToText.ranks]).toEqual([0, 0, 1, 1]);
    expect(imageToText.candidates).toBe(3);
    expect(imageToText.chance).toBeCloseTo(1 / 3);
    expect([...textToImage.ranks]).toEqual([0, 0, 3]);
    expect(textToImage.chance).toBeCloseTo((2 + 1 + 1) / 3 / 4);
  });
});

describe("the temperature", () => {
  it("is clipped where logits would exceed a hundred times the cosines", async () => {
    const backend = await createBackend("reference");
    const configuration = clip.schema.parse({
      ...{ vocabularySize: 9, endOfText: 0, context: 4, embeddingWidth: 4 },
      text: { width: 4, layers: 1, attentionHeads: 1 },
      vision: { width: 4, layers: 1, attentionHeads: 1, imageSize: 4, patchSize: 4 },
    });
    const training = contrastiveConfiguration.parse({ steps: 60, learningRate: 0.1, schedule: { warmupSteps: 0 } });
    const trainer = new ContrastiveTrainer(backend, clip as never, configuration, training);
    const pixels = Float32Array.from({ length: 2 * 48 }, (_, i) => (i < 48 ? 1 : -1) * ((i % 5) - 1));
    const batch = {
      pairs: 2,
      pixels,
      imageSize: 4,
      texts: { sequences: 2, length: 2, tokens: Int32Array.of(1, 0, 2, 0) },
    };
    const stepFrom = async (logitScale: number) => {
      backend.write(trainer.model.logitScale.tensor, Float32Array.of(logitScale));
      await trainer.takeStepOn(batch);
      return trainer.engine.scalar(trainer.model.logitScale);
    };
    expect(await stepFrom(7)).toBeCloseTo(Math.log(100), 6);
    expect(await stepFrom(-2)).toBe(0);
    expect(await stepFrom(3)).not.toBe(3);
    trainer.dispose();
  });
});
