import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdaptationReport } from "../../src/adaptation/index.ts";
import type { Backend } from "../../src/engine/index.ts";
import { readSafetensors } from "../../src/formats/index.ts";
import type { AdaptClassifyInput } from "../../src/jobs/adapt-classes.ts";
import { adaptClassifyJob } from "../../src/jobs/adapt-classify.ts";
import { loadModel } from "../../src/jobs/checkpoint-reader.ts";
import { predictClassesJob } from "../../src/jobs/predict-classes.ts";
import { device, listening, quick, sentences, workplace, writeLines } from "./support.ts";

let place: { folder: string; checkpoint: string; backend: Backend };
let runs = 0;
beforeAll(async () => {
  place = await workplace();
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

function input(overrides: Partial<AdaptClassifyInput>): AdaptClassifyInput {
  return {
    ...{
      checkpoint: place.checkpoint,
      output: join(place.folder, `out-${runs++}`),
      device,
      settings: quick(),
      merge: false,
    },
    ...{ train: join(place.folder, "train.jsonl"), what: "sequence", validationShare: 0.25, fromScratch: false },
    fields: { text: "text", label: "label", group: "group" },
    ...overrides,
  };
}

async function classify(overrides: Partial<AdaptClassifyInput>) {
  const context = listening();
  const { report, output } = await adaptClassifyJob.run(input(overrides), context);
  return { report, output, warnings: context.warnings };
}

const verdicts = ({ guards }: AdaptationReport) =>
  Object.fromEntries(guards.map(({ name, verdict }) => [name, verdict]));

describe("a healthy fine-tune", () => {
  it("learns the classes, trips no guard, and leaves a checkpoint that says what it is", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(160, 1));
    const test = writeLines(join(place.folder, "test.jsonl"), sentences(100, 2));
    const { report, output, warnings } = await classify({ train, test });
    expect(report.test!.accuracy.value).toBeGreaterThan(0.9);
    expect(report.test!.byGroup.map(({ name }) => name)).toEqual(["even", "odd"]);
    expect(warnings).toEqual([]);
    expect(verdicts(report)).toMatchObject({ overfit: "passed", "class-collapse": "passed", "group-gap": "passed" });
    const written = JSON.parse(readFileSync(join(output, "adaptation.json"), "utf8")) as AdaptationReport;
    expect(written).toMatchObject({
      stage: "fine-tuned",
      method: "classify",
      weights: "all",
      classes: ["bad", "good"],
    });
    expect(written.parent.stage).toBe("base");
    expect(written.data.map(({ role, rows }) => [role, rows])).toEqual([
      ["train", 120],
      ["test", 100],
    ]);
    const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config.architectures).toEqual(["LlamaForSequenceClassification"]);
    expect(readFileSync(join(output, "README.md"), "utf8")).toContain("Stage: **fine-tuned**");
    const asked = sentences(100, 2);
    const texts = asked.map(({ text }) => text);
    const predictions = await predictClassesJob.run({ checkpoint: output, texts, device }, listening() as never);
    const right = predictions.filter(({ label }, index) => label === asked[index].label).length;
    expect(right / 100).toBeCloseTo(report.test!.accuracy.value, 10);
    const nothing = { checkpoint: place.checkpoint, texts, device };
    await expect(predictClassesJob.run(nothing, listening() as never)).rejects.toThrow("holds no classifier of texts");
    // The language model in it is still one.
    loadModel(output, place.backend).model.dispose();
  });

  it("learns as well with adapters, merged or not, of which only the adapters and the head are kept", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(480, 1));
    const test = writeLines(join(place.folder, "test.jsonl"), sentences(100, 2));
    const settings = quick({ steps: 120, batchExamples: 16, lora: { rank: 8 } });
    const alone = await classify({ train, test, settings });
    expect(alone.report.test!.accuracy.value).toBeGreaterThan(0.9);
    expect(existsSync(join(alone.output, "model.safetensors"))).toBe(false);
    const file = readSafetensors(join(alone.output, "adapter_model.safetensors"));
    expect(file.names.filter((name) => !name.includes(".lora_"))).toEqual(["base_model.model.score.weight"]);
    file.close();
    const merged = await classify({ train, test, settings, merge: true });
    expect(merged.report.test!.loss).toBe(alone.report.test!.loss);
    expect(existsSync(join(merged.output, "model.safetensors"))).toBe(true);
  });

  it("names the class of every word", async () => {
    const rows = (count: number, seed: number) =>
      sentences(count, seed).map(({ text }) => {
        const words = text.split(" ");
        return { words, tags: words.map((word) => (/kind|warm|bright|calm/.test(word) ? "GOOD" : "O")) };
      });
    const train = writeLines(join(place.folder, "words.jsonl"), rows(160, 3));
    const test = writeLines(join(place.folder, "words-test.jsonl"), rows(60, 4));
    const { report } = await classify({ train, test, what: "token", fields: { text: "words", label: "tags" } });
    expect(report.test!.byClass.map(({ name }) => name)).toEqual(["GOOD", "O"]);
    expect(report.test!.macroF1).toBeGreaterThan(0.9);
  });

  it("gives the same bits again", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(60, 1));
    const settings = quick({ steps: 10, lora: { rank: 2, dropout: 0.2 } });
    const [first, second] = [await classify({ train, settings }), await classify({ train, settings })];
    expect(second.report.curve).toEqual(first.report.curve);
  });
});

describe("a planted overfit", () => {
  it("trips the guard, which warns or stops, and the best weights are kept", async () => {
    const train = writeLines(join(place.folder, "random.jsonl"), sentences(24, 5, true));
    const validation = writeLines(join(place.folder, "random-held.jsonl"), sentences(60, 6, true));
    const patient = { steps: 60, patience: null };
    const warned = await classify({ train, validation, settings: quick(patient) });
    expect(warned.warnings.some((text) => text.startsWith("the guard overfit trips"))).toBe(true);
    expect(verdicts(warned.report).overfit).toBe("tripped");
    expect(warned.report.steps).toBe(60);
    const settings = quick({ ...patient, guards: { overfit: { action: "stop" } } });
    const stopped = await classify({ train, validation, settings });
    expect(stopped.report.steps).toBeLessThan(60);
    expect(stopped.report.stopped!.reason).toContain("the guard overfit trips");
    const best = Math.min(...stopped.report.curve.map(({ validationLoss }) => validationLoss));
    expect(stopped.report.validation!.loss).toBeCloseTo(best, 5);
  });
});

it("profane words in the training texts are told of", async () => {
  const rows = [...sentences(30, 1), { text: "what the fuck", label: "bad", group: "even" }];
  const train = writeLines(join(place.folder, "profane.jsonl"), rows);
  const { warnings } = await classify({ train, settings: quick({ steps: 1 }) });
  expect(warnings[0]).toBe("1 of 31 training texts hold profane words: a model learns them too");
});

describe("mistakes in the examples", () => {
  const failing = (overrides: Partial<AdaptClassifyInput>) => expect(classify(overrides)).rejects;

  it("are named: a missing or empty label, a label that training does not have, a class without examples", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(20, 1));
    const missing = writeLines(join(place.folder, "missing.jsonl"), [
      ...sentences(3, 1),
      { text: "no class", group: "even" },
    ]);
    await failing({ train: missing }).toThrow(/missing\.jsonl, row 4: label: .*its fields are text, group/);
    const empty = writeLines(join(place.folder, "empty.jsonl"), [{ text: "a", label: " ", group: "even" }]);
    await failing({ train: empty }).toThrow(/row 1: label: is empty/);
    const test = writeLines(join(place.folder, "other.jsonl"), [{ text: "a", label: "goud", group: "even" }]);
    await failing({ train, test }).toThrow(
      'the test examples have the label "goud", which is no class of the training; did you mean "good"?',
    );
    await failing({ train, classes: ["good", "bad", "ugly"] }).toThrow('no training example has the class "ugly"');
    await failing({ train, classes: ["good", "ugly"] }).toThrow('the label "bad"');
    const one = writeLines(join(place.folder, "one.jsonl"), [{ text: "a", label: "good", group: "even" }]);
    await failing({ train: one }).toThrow("have 1 class (good); two are needed");
    await failing({ train, labels: 100 }).toThrow("--labels asks for 100 examples");
    await failing({ train, settings: quick({ lora: { targets: ["q_porj"] } }) }).toThrow(
      '"q_porj"; did you mean "q_proj"?',
    );
  });
});
