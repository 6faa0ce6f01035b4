import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FeatureReader } from "../../src/corpus/classifier/features.ts";
import {
  classifierSettings,
  evaluateScores,
  type LabelledText,
  prepareClassifiers,
  readClassifier,
  scoreDocument,
  trainClassifier,
  writeClassifier,
} from "../../src/corpus/classifier/index.ts";
import { corpusClassifier } from "../../src/corpus/classifier/settings.ts";
import { Random } from "../../src/foundation/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tilth-classifier-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const settings = classifierSettings.parse({ buckets: 1 << 14 });

/** Texts of two vocabularies that overlap: a share of the words is of the other class. */
function texts(count: number, mixed: number): LabelledText[] {
  const farm = "soil plough harrow seed field furrow loam tilth crop rain".split(" ");
  const sea = "wave tide anchor sail harbour reef mast current keel salt".split(" ");
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(5, index);
    const positive = index % 2 === 0;
    const words = Array.from({ length: 40 }, () => {
      const own = random.uniform() >= mixed;
      const list = positive === own ? farm : sea;
      return list[random.below(list.length)];
    });
    return { text: words.join(" "), positive };
  });
}

describe("features", () => {
  const read = (text: string, more = {}) =>
    [...new FeatureReader({ ...settings, ...more }).read(text)].sort((a, b) => a - b);
  it("are words in any case, their n-grams and characters, each once", () => {
    expect(read("Soil, soil SOIL", { characterNgrams: 0, wordNgrams: 1 })).toHaveLength(1);
    expect(read("a b c", { characterNgrams: 0, wordNgrams: 2 })).toHaveLength(5);
    expect(read("a b c", { characterNgrams: 0, wordNgrams: 3 })).toHaveLength(6);
    expect(read("a  \n b", { characterNgrams: 3 })).toEqual(read("a b", { characterNgrams: 3 }));
    expect(read("a b", { characterNgrams: 0 })).not.toEqual(read("b a", { characterNgrams: 0 }));
    expect(read("土壌", { characterNgrams: 0, wordNgrams: 1 })).toHaveLength(2);
    expect(read("")).toEqual([]);
  });

  it("are the same after other texts", () => {
    const reader = new FeatureReader(settings);
    const first = reader.read("one two three");
    reader.read("something else entirely ".repeat(1000));
    expect(reader.read("one two three")).toEqual(first);
  });
});

describe("trainClassifier", () => {
  it("tells classes apart on texts that it has not seen, with the same bits every time", async () => {
    const first = await trainClassifier(texts(1000, 0.3), settings);
    expect(first.heldOut.auc.value).toBeGreaterThan(0.99);
    expect(first.heldOut.auc.low).toBeLessThanOrEqual(first.heldOut.auc.value);
    expect(first.trainedOn.positives + first.heldOut.positives).toBe(500);
    const second = await trainClassifier(texts(1000, 0.3), settings);
    expect(Buffer.from(second.weights.buffer)).toEqual(Buffer.from(first.weights.buffer));
    expect(second.heldOut).toEqual(first.heldOut);
  });

  it("finds nothing where there is nothing: labels without relation to the text", async () => {
    const { heldOut } = await trainClassifier(texts(2000, 0.5), settings);
    expect(heldOut.auc.low).toBeLessThan(0.5);
    expect(heldOut.auc.high).toBeGreaterThan(0.5);
  });

  it("keeps a text that occurs twice on one side, and asks for enough of both classes", async () => {
    const some = texts(400, 0.2);
    const twice = await trainClassifier(
      [...some, ...some.map((one) => ({ ...one, positive: !one.positive }))],
      settings,
    );
    expect(twice.trainedOn).toEqual((await trainClassifier(some, settings)).trainedOn);
    await expect(
      trainClassifier(
        some.filter(({ positive }) => positive),
        settings,
      ),
    ).rejects.toThrow(/0 negative texts to train on/);
  });
});

describe("the held-out part", () => {
  it("has all versions of a text or none: pairs that differ in their ends alone say nothing of each other", async () => {
    const pairs = Array.from({ length: 600 }, (_, index) => {
      const random = new Random(6, index);
      const beginning = Array.from({ length: 30 }, () => `w${random.below(5000)}`).join(" ");
      return [true, false].map((positive) => ({ text: `${beginning} ${random.below(1e9)}`, positive }));
    }).flat();
    const { heldOut } = await trainClassifier(pairs, settings);
    expect(heldOut.positives).toBe(heldOut.negatives);
    expect(heldOut.auc.high).toBeGreaterThan(0.45);
  });
});

describe("evaluateScores", () => {
  it("computes the textbook's values", () => {
    // 3 positives at .9 .8 .3, 3 negatives at .7 .2 .1: at .5 two of three found, one false alarm; 8 of 9 pairs in order.
    const { precision, recall, f1, auc } = evaluateScores(
      [0.9, 0.8, 0.3, 0.7, 0.2, 0.1],
      [true, true, true, false, false, false],
    );
    expect([precision.value, recall.value, f1.value, auc.value]).toEqual([2 / 3, 2 / 3, 2 / 3, 8 / 9]);
    expect(evaluateScores([0.5, 0.5], [true, false]).auc.value).toBe(0.5);
    expect(evaluateScores([0, 0], [true, false]).precision.value).toBe(0);
  });

  it("gives intervals that hold the truth about as often as they say", () => {
    // Scores of two normal distributions one deviation apart: AUC is Φ(1/√2) = 0.7602.
    let held = 0;
    for (let trial = 0; trial < 40; trial++) {
      const random = new Random(9, trial);
      const positive = Array.from({ length: 120 }, (_, index) => index % 2 === 0);
      const { auc } = evaluateScores(
        positive.map((one) => random.normal() + (one ? 1 : 0)),
        positive,
        { seed: trial },
      );
      if (auc.low <= 0.7602 && 0.7602 <= auc.high) held++;
    }
    expect(held).toBeGreaterThanOrEqual(33);
  });
});

describe("a classifier's file and its use", () => {
  const train = async () => {
    const { weights, bias, trainedOn, heldOut } = await trainClassifier(texts(400, 0.2), settings);
    const file = join(root, "farm.classifier");
    writeClassifier(file, { name: "farm", settings, bias, trainedOn, heldOut }, weights);
    return file;
  };

  it("scores after reading as before writing, and names a file that is missing or damaged", async () => {
    const file = await train();
    const model = readClassifier(file);
    expect(model.score("soil plough field")).toBeGreaterThan(0.6);
    expect(model.score("sail mast tide")).toBeLessThan(0.4);
    const bytes = readFileSync(file);
    bytes[bytes.length - 5] ^= 1;
    writeFileSync(file, bytes);
    expect(() => readClassifier(file)).toThrow(/damaged: its weights/);
    writeFileSync(file, "{}\n");
    expect(() => readClassifier(file)).toThrow(/no classifier of this version/);
    expect(() => readClassifier(join(root, "none"))).toThrow(/there is no classifier/);
  });

  it("stores its score for its kinds and rejects outside its bounds", async () => {
    const entry = corpusClassifier.parse({ name: "farm", file: await train(), minimum: 0.5 });
    const classifiers = prepareClassifiers([entry], ".");
    expect(scoreDocument("soil plough field", "prose", classifiers).rejections).toEqual([]);
    const { measures, rejections } = scoreDocument("sail mast tide", "prose", classifiers);
    expect(measures["classifier.farm"]).toBeLessThan(0.5);
    expect(rejections).toMatchObject([{ stage: "classifier", rule: "classifier.farm", expected: "at least 0.5" }]);
    expect(scoreDocument("sail mast tide", "code", classifiers)).toEqual({ measures: {}, rejections: [] });
    expect(() => prepareClassifiers([entry, entry], ".")).toThrow(/two classifiers/);
  });
});
