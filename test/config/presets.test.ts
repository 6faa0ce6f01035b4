import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseRun, runPresets } from "../../src/config/index.ts";
import { architectureNamed, imageTextArchitectureNamed, modelPreset } from "../../src/models/index.ts";
import { objectiveNamed } from "../../src/objectives/index.ts";

const data = (objective: string) =>
  objective === "contrastive"
    ? { images: { path: "pictures" } }
    : { corpus: { sources: [{ reader: "folder", path: "text" }] } };
const runOf = (preset: string, more: object = {}) =>
  parseRun({ preset, runFolder: "runs/one", ...data(runPresets[preset]?.objective.kind), ...more }, "a test");

describe("presets of runs", () => {
  it.each(Object.entries(runPresets))("%s is a whole run but for its data", (name, { objective }) => {
    const run = runOf(name);
    const { architecture } = modelPreset(name);
    expect(run.objective.kind).toBe(objective.kind);
    expect(run.model.architecture).toBe(architecture);
    const families: readonly string[] = objectiveNamed(objective.kind).families;
    expect(families).toContain(
      imageTextArchitectureNamed(architecture) ? "image-text" : architectureNamed(architecture).family,
    );
  });

  it("cover each objective that the quickstart has with a small model and the papers' own", () => {
    const of = (kind: string) => Object.keys(runPresets).filter((name) => runPresets[name].objective.kind === kind);
    expect(of("next-token")).toEqual(["llama-tiny", "gpt2-124m", "gpt2-355m", "gpt2-774m", "gpt2-1.5b"]);
    expect(of("masked-token")).toEqual(["modernbert-tiny", "bert-base", "bert-large", "roberta-base"]);
    expect(of("contrastive")).toEqual([
      ...["clip-tiny", "clip-vit-b-32", "clip-vit-b-16"],
      ...["siglip-tiny", "siglip-b-16"],
    ]);
  });

  it("give way to what the run sets itself, value by value", () => {
    const run = runOf("bert-base", { training: { steps: 20_000, schedule: { warmupSteps: 7 } }, model: { layers: 3 } });
    expect(run.training).toMatchObject({ steps: 20_000, learningRate: 1e-4 });
    expect(run.training.schedule).toMatchObject({ warmupSteps: 7, decayShare: 1 });
    expect(run.model).toMatchObject({ architecture: "bert", width: 768, layers: 3 });
    // Another architecture takes nothing of the preset's sizes.
    const other = runOf("gpt2-124m", {
      model: { architecture: "llama", layers: 2, width: 64, attentionHeads: 2, context: 1024 },
    });
    expect(other.model).toEqual({ architecture: "llama", layers: 2, width: 64, attentionHeads: 2, context: 1024 });
  });

  it("say what is wrong", () => {
    expect(() => runOf("bert-bsae")).toThrow('there is no preset "bert-bsae"; did you mean "bert-base"?');
    expect(() => runOf("clip-tiny", { corpus: {} })).toThrow('"corpus" is no setting of a run');
    expect(() => runOf("clip-tiny", { model: { architecture: "llama" } })).toThrow('"llama" is none');
    const shares = { path: "pictures", validationShare: 0.5, testShare: 0.5 };
    expect(() => runOf("clip-tiny", { images: shares })).toThrow("leave less than a tenth");
  });

  it("are listed in docs/objectives.md", () => {
    const page = readFileSync("docs/objectives.md", "utf8");
    const table = page.slice(
      page.indexOf("<!-- table: presets"),
      page.indexOf("<!-- end -->", page.indexOf("<!-- table: presets")),
    );
    const rows = Object.entries(runPresets).map(
      ([name, { objective, describe }]) => `| \`${name}\` | ${objective.kind} | ${describe} |`,
    );
    expect(table.split("\n").filter((line) => line.startsWith("| `"))).toEqual([
      "| `preset` | objective | what |",
      ...rows,
    ]);
  });
});
