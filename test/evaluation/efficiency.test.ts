/** Sample efficiency, contamination and training dynamics, as figures and as they are typed. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend } from "../../src/engine/index.ts";
import { type LabelledFeatures, sampleEfficiency } from "../../src/evaluation/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { writeLlama } from "../support/checkpoints.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-efficiency-"));
const checkpoint = join(folder, "checkpoint");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  const backend = await createBackend("reference");
  await writeLlama(checkpoint, backend);
  backend.dispose();
});

const tilth = (...args: string[]) =>
  spawnSync(process.execPath, ["dist/cli.js", "eval", ...args, "--backend", "reference"], { encoding: "utf8" });

/** Four classes around corners, with noise of that deviation. */
function clusters(count: number, deviation: number, key: number): LabelledFeatures {
  const width = 8;
  const random = new Random(key);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 4);
  const features = Float32Array.from(
    { length: count * width },
    (_, i) => Number(i % width === labels[Math.floor(i / width)]) + deviation * random.normal(),
  );
  return { features, width, labels };
}

describe("sample efficiency", () => {
  const sides = (count: number, key: number) => ({
    pretrained: clusters(count, 0.4, key),
    random: clusters(count, 0.6, key + 1),
  });
  const run = () => sampleEfficiency(sides(800, 1), sides(400, 3), [8, 32, 128, 512], { draws: 3, seed: 1 });

  it("finds that clearer representations need fewer labels, by how many, the same every time", () => {
    const { pretrained, random, saved, chance, classes } = run();
    expect({ chance, classes }).toEqual({ chance: 0.25, classes: 4 });
    pretrained.forEach(({ value, interval: [low, high] }, i) => {
      expect(value).toBeGreaterThan(random[i].value);
      expect(low <= value && value <= high).toBe(true);
    });
    expect(random.at(-1)!.value).toBeGreaterThan(random[0].value);
    for (const { labels, needed } of saved) {
      const { value } = pretrained.find((one) => one.labels === labels)!;
      const reached = random.find((one) => one.value >= value);
      if (reached === undefined) expect(needed).toBeNull();
      else expect(needed).toBeGreaterThan(labels);
    }
    expect(saved.at(-1)!.needed).toBeNull();
    expect(run()).toEqual({ pretrained, random, saved, chance, classes });
  });

  it("saves nothing where both models see the same", () => {
    const same = (count: number, key: number) => ({
      pretrained: clusters(count, 0.8, key),
      random: clusters(count, 0.8, key),
    });
    const { saved, pretrained, random } = sampleEfficiency(same(400, 5), same(200, 6), [8, 128], { draws: 2, seed: 1 });
    expect(pretrained).toEqual(random);
    expect(saved).toEqual([8, 128].map((labels) => ({ labels, needed: labels })));
  });

  it("refuses more labels than there are", () => {
    expect(() => sampleEfficiency(sides(20, 1), sides(20, 3), [8, 32], { draws: 1, seed: 1 })).toThrow(
      /32 labels are asked for, but there are only 20/,
    );
  });

  it("runs on a checkpoint and says what does not fit", () => {
    const rows = (count: number, key: number, names = ["river", "bread"]) =>
      Array.from({ length: count }, (_, i) =>
        JSON.stringify({ text: `${names[i % 2]} ${prose(1, key, i)}`, topic: names[i % 2] }),
      ).join("\n");
    const [train, test, other] = ["train.jsonl", "test.jsonl", "other.jsonl"].map((name) => join(folder, name));
    writeFileSync(train, rows(40, 1));
    writeFileSync(test, rows(20, 2));
    writeFileSync(other, rows(20, 2, ["river", "stone"]));
    const plot = join(folder, "efficiency.svg");
    const files = ["--train", train, "--test", test, "--label", "topic"];
    const told = tilth(
      "efficiency",
      checkpoint,
      ...files,
      "--labels",
      "4,16",
      "--draws",
      "2",
      "--plot",
      plot,
      "--json",
    );
    expect(told.status, told.stderr).toBe(0);
    const { classes, pretrained, random } = JSON.parse(told.stdout);
    expect([classes, pretrained.length, random.length]).toEqual([2, 2, 2]);
    expect(readFileSync(plot, "utf8")).toContain("random weights");
    expect(tilth("efficiency", checkpoint, "--train", train, "--test", other, "--label", "topic").stderr).toMatch(
      /other\.jsonl has classes that .*train\.jsonl has not: stone/,
    );
    expect(tilth("efficiency", checkpoint, "--train", train, "--test", test).stderr).toMatch(
      /row 1: label: .*its fields are text, topic(.|\n)*--label/,
    );
  });
});

describe("a task", () => {
  const known = prose(3, 77);
  const data = join(folder, "questions.jsonl");
  const question = (context: string, answer: number) =>
    JSON.stringify({ context, choices: [" green grain", " cold river"], answer });
  writeFileSync(data, [question(known, 0), question(prose(1, 78), 1), question(prose(1, 79), 0)].join("\n"));

  it("is scored apart for questions that the corpus holds, with the places", () => {
    const documents = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`text/${i}.txt`, `${i === 3 ? `${known} ` : ""}${prose(30, 5, i)}`]),
    );
    writeFiles(folder, documents);
    const corpus = join(folder, "corpus");
    const built = spawnSync(
      process.execPath,
      ["dist/cli.js", "data", "build", "--folder", join(folder, "text"), "--accept", "review", "--corpus", corpus],
      { encoding: "utf8" },
    );
    expect(built.status, built.stderr).toBe(0);
    const asked = ["--task", "multiple-choice", "--data", data];
    const told = tilth(checkpoint, ...asked, "--contamination", corpus, "--json");
    expect(told.status, told.stderr).toBe(0);
    const { contamination, metrics } = JSON.parse(told.stdout);
    expect(contamination.spans).toMatchObject([{ item: 0, spans: [{ document: expect.any(String) }] }]);
    const { contaminated, clean } = contamination;
    expect((contaminated.value + 2 * clean.value) / 3).toBeCloseTo(metrics.accuracy.value, 9);
  });

  it("is a curve over a run's checkpoints", () => {
    for (const step of ["0000010", "0000020"]) {
      cpSync(checkpoint, join(folder, "run", "checkpoints", `step-${step}`), { recursive: true });
    }
    const plot = join(folder, "curve.svg");
    const asked = ["--task", "multiple-choice", "--data", data];
    const told = tilth("dynamics", join(folder, "run"), ...asked, "--plot", plot, "--json");
    expect(told.status, told.stderr).toBe(0);
    const { curve } = JSON.parse(told.stdout);
    expect(curve).toMatchObject([
      { step: 10, change: null },
      { step: 20, change: { onlyFirst: 0, onlySecond: 0 } },
    ]);
    expect(readFileSync(plot, "utf8")).toContain("<svg");
    expect(tilth("dynamics", join(folder, "text"), ...asked).stderr).toMatch(/has no checkpoints/);
  });

  it("says what is wrong with an empty file, other labels, a checkpoint without tokenizer", () => {
    const [empty, labels] = ["empty.jsonl", "labels.jsonl"].map((name) => join(folder, name));
    writeFileSync(empty, "\n");
    writeFileSync(labels, question("a", 7));
    const asked = (file: string, from = checkpoint) => tilth(from, "--task", "multiple-choice", "--data", file);
    expect(asked(empty).stderr).toMatch(/empty\.jsonl is empty/);
    expect(asked(labels).stderr).toMatch(/row 1: the answer is choice 8, but there are 2 choices/);
    const bare = join(folder, "bare");
    mkdirSync(bare);
    cpSync(checkpoint, bare, { recursive: true });
    rmSync(join(bare, "tokenizer.json"));
    const told = asked(data, bare);
    expect(told.status).toBe(1);
    expect(told.stderr).toMatch(/tokenizer\.json/);
  });
});
