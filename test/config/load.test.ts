import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  findConfiguration,
  isPairsRun,
  loadRun,
  loadRunConfiguration,
  modelOf,
  runPresets,
  templateNames,
  templateOf,
} from "../../src/config/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const plain = {
  runFolder: "runs/one",
  corpus: { sources: [{ reader: "folder", path: "text" }] },
  model: { layers: 2, width: 64, attentionHeads: 4 },
  training: { steps: 100, sequenceLength: 128 },
};
const json = () => write("run.json", JSON.stringify(plain));

describe("a run's configuration", () => {
  it("is the same from TypeScript, YAML and JSON", async () => {
    const typescript = write(
      "tilth.config.ts",
      `const width: number = 64;
       export default { runFolder: "runs/one", corpus: { sources: [{ reader: "folder" as const, path: "text" }] },
         model: { layers: 2, width, attentionHeads: 4 }, training: { steps: 100, sequenceLength: 128 } };`,
    );
    const yaml = write(
      "run.yaml",
      `runFolder: runs/one
corpus: { sources: [{ reader: folder, path: text }] }
model: { layers: 2, width: 64, attentionHeads: 4 }
training: { steps: 100, sequenceLength: 128 }
`,
    );
    const expected = await loadRunConfiguration(json());
    expect(await loadRunConfiguration(yaml)).toEqual(expected);
    expect(await loadRunConfiguration(typescript)).toEqual(expected);
    expect(findConfiguration(folder)).toBe(typescript);
  });

  it("has every default, paths from the file's folder, and a model for the vocabulary", async () => {
    const configuration = await loadRunConfiguration(json());
    expect(configuration.runFolder).toBe(join(folder, "runs/one"));
    expect(configuration.corpus.sources[0].path).toBe(join(folder, "text"));
    expect(configuration.tokenizer.vocabularySize).toBe(8192);
    expect(configuration.training.optimizer.kind).toBe("adamw");
    expect(modelOf(configuration, 777).configuration).toMatchObject({
      vocabularySize: 777,
      context: 128,
      headSize: 16,
      keyValueHeads: 4,
      mlpWidth: 176,
    });
  });

  it("takes single values from --set, typed", async () => {
    const configuration = await loadRunConfiguration(json(), [
      "training.steps=7",
      "training.schedule.kind=cosine",
      "training.schedule.warmupSteps=0",
      "training.documentMask=false",
      "model.layers=3",
    ]);
    expect(configuration.training).toMatchObject({
      steps: 7,
      documentMask: false,
      schedule: { kind: "cosine", warmupSteps: 0 },
    });
    expect(configuration.model.layers).toBe(3);
  });

  it.each([
    ["an unknown setting", "training.stpes=5", /training: "stpes" is no setting of a training; did you mean "steps"/],
    ["an unknown setting of the model", "model.widht=5", /"widht" is no setting of a Llama; did you mean "width"/],
    ["an unknown part", "trainig.steps=5", /"trainig" is no setting of a run; did you mean "training"/],
    ["a value of another type", "training.steps=many", /training\.steps: .*number/],
    ["an unknown architecture", "model.architecture=lama", /no architecture "lama"; did you mean "llama"/],
    ["an unknown filter", "corpus.settings.filters.prose.gofer=null", /gofer/],
    ["a context too short", "model.context=64", /sequenceLength is 128, but model.context is 64/],
    ["heads that do not divide", "model.attentionHeads=5", /even multiple of attentionHeads/],
    ["no assignment", "training.steps", /not of the form name=value/],
    ["a value taken for a group", "training.steps.more=1", /"steps" is a value/],
  ])("refuses %s", async (_what, override, message) => {
    await expect(loadRunConfiguration(json(), [override])).rejects.toThrow(message);
  });

  it("names every fault at once, and files that are no configuration", async () => {
    const both = loadRunConfiguration(json(), ["training.steps=0", "training.learningRate=-1"]);
    await expect(both).rejects.toThrow(/training\.steps.*training\.learningRate/);
    await expect(loadRunConfiguration(write("bad.json", "{"))).rejects.toThrow(/bad\.json cannot be read/);
    await expect(loadRunConfiguration(write("list.yaml", "- 1"))).rejects.toThrow(/holds no configuration object/);
    await expect(loadRunConfiguration(join(folder, "none.yaml"))).rejects.toThrow(/no such configuration file/);
    expect(() => findConfiguration(join(folder, "nowhere"))).toThrow(/no tilth\.config\.ts/);
  });

  // The library is imported by name; here from its source.
  const written = (name: string, options: Parameters<typeof templateOf>[0]) =>
    write(
      `${name}.ts`,
      templateOf(options).replace('from "tilth"', `from ${JSON.stringify(join(process.cwd(), "src/config/index.ts"))}`),
    );
  const places = { corpus: "some text", runFolder: "runs/first" };

  it.each(Object.keys(templateNames))("of the template %s is valid", async (template) => {
    const run = await loadRun(written(template, { template, ...places }));
    expect(isPairsRun(run) ? run.images.path : run.corpus.sources[0].path).toBe(join(folder, "some text"));
    expect(run.training.optimizer.kind).toBe(isPairsRun(run) ? "adamw" : "muon");
  });

  it("of a preset leaves to it what it sets", async () => {
    const preset = "gpt2-124m";
    const run = await loadRunConfiguration(written("preset", { template: "text", ...places, preset }));
    expect(run.training).toMatchObject({ ...runPresets[preset].training, seed: 1 });
    expect(() => templateOf({ template: "text", ...places, preset: "clip-tiny" })).toThrow("pictures with captions");
  });
});
