import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "tilth-examples-"));
/** Inside the package, whose name then means itself; Node 20 does not strip types. */
const compiled = join(root, "build", "examples");
const [notes, peps] = [join(folder, "notes"), join(root, "examples", "peps")];
const names = ["pretrain-notes", "continue-checkpoint", "bert-classifier", "clip-pictures", "scaling-ladder"];

beforeAll(async () => {
  await build({
    entryPoints: names.map((name) => join(root, "examples", "library", `${name}.ts`)),
    ...{ outdir: compiled, format: "esm", outExtension: { ".js": ".mjs" }, logLevel: "warning" },
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(compiled, { recursive: true, force: true });
});

/** An example with few steps; what it prints. */
function run(name: string, ...parameters: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(compiled, `${name}.mjs`), ...parameters], {
    cwd: root,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

function tilth(...parameters: string[]) {
  return spawnSync(process.execPath, [join(root, "dist", "cli.js"), ...parameters], { cwd: folder, encoding: "utf8" });
}

describe("examples of the library", () => {
  it("pre-trains on notes, shows what it writes on the way, and answers", () => {
    const said = run("pretrain-notes", peps, notes, "60");
    const losses = [...said.matchAll(/validation loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(5);
    expect(losses[4]).toBeLessThan(losses[0]);
    expect(said.match(/^ {2}The /gm)).toHaveLength(5);
    expect(existsSync(join(notes, "checkpoints", "step-0000060", "model.safetensors"))).toBe(true);
  });

  it("continues that checkpoint on a domain, with replay", () => {
    const said = run("continue-checkpoint", notes, peps, notes, join(folder, "continued"), "20");
    expect(said).toMatch(/held-out domain text: [\d.]+ bits a byte/);
  });

  it("pre-trains an encoder and fine-tunes it for classes, beside random weights", () => {
    const data = join(root, "examples", "banking77");
    const said = run(
      "bert-classifier",
      peps,
      join(data, "train.csv"),
      join(data, "test.csv"),
      join(folder, "bert"),
      "40",
    );
    expect(said).toMatch(/^pre-trained: [\d.]+ %/m);
    expect(said).toMatch(/^from scratch: [\d.]+ %/m);
  });

  it("learns pictures with captions", () => {
    const said = run("clip-pictures", join(root, "examples", "emoji"), join(folder, "clip"), "20");
    expect(said).toMatch(/image to text [\d.]+ % \(chance [\d.]+ %\)/);
  });

  it("trains a ladder and foretells a larger model", () => {
    const file = join(folder, "ladder.yaml");
    writeFileSync(
      file,
      `runFolder: ladder
corpus: { sources: [{ reader: folder, path: ${peps} }], settings: { licences: { accept: [allow, attribute, review] } } }
tokenizer: { vocabularySize: 400 }
model: { architecture: llama, tiedEmbeddings: true }
training: { sequenceLength: 64, batchSequences: 8, schedule: { warmupSteps: 4 }, validationSequences: 32 }
ladder:
  tokens: [0.02e6, 0.04e6, 0.08e6]
  learningRate: { reference: 4.0e-3, width: 64, exponent: 0.5 }
  sizes:
    - model: { layers: 1, width: 16, attentionHeads: 2 }
    - model: { layers: 2, width: 32, attentionHeads: 2 }
    - model: { layers: 2, width: 64, attentionHeads: 4 }
`,
    );
    const { status, stderr } = spawnSync(process.execPath, [join(compiled, "scaling-ladder.mjs"), file], {
      cwd: root,
      encoding: "utf8",
    });
    // Models this small foretell nothing of one a million times as large, and the library says so.
    expect(stderr).toMatch(/times the largest budget that the law was fitted to/);
    expect(status).not.toBe(0);
    const table = readFileSync(join(folder, "ladder", "ladder.csv"), "utf8")
      .trim()
      .split("\n");
    expect(table).toHaveLength(1 + 9);
  });
});

describe("plugins", () => {
  it("an objective of one file trains, is resumed, and is refused where it is not named", () => {
    const objective = join(root, "examples", "plugins", "prefix-language-model.ts");
    const configuration = (plugins: string[]) =>
      JSON.stringify({
        plugins,
        runFolder: "prefix",
        corpus: {
          sources: [{ reader: "folder", path: peps }],
          settings: { licences: { accept: ["allow", "attribute", "review"] } },
        },
        tokenizer: { vocabularySize: 400 },
        objective: { kind: "prefix-language-model", prefixShare: 0.25 },
        model: { layers: 1, width: 32, attentionHeads: 2 },
        training: { steps: 8, sequenceLength: 64, schedule: { warmupSteps: 2 }, checkpointEvery: 4, validateEvery: 4 },
      });
    writeFileSync(join(folder, "prefix.json"), configuration([objective]));
    const trained = tilth("train", "prefix.json");
    expect(trained.status, trained.stderr).toBe(0);
    const description = JSON.parse(readFileSync(join(folder, "prefix", "run.json"), "utf8"));
    expect(description).toMatchObject({ objective: { kind: "prefix-language-model", prefixShare: 0.25 } });
    rmSync(join(folder, "prefix", "checkpoints", "step-0000008"), { recursive: true });
    writeFileSync(join(folder, "prefix", "checkpoints", "latest"), "step-0000004\n");
    const resumed = tilth("train", "--resume", "prefix");
    expect(resumed.status, resumed.stderr).toBe(0);
    writeFileSync(join(folder, "prefix.json"), configuration([]));
    const refused = tilth("train", "prefix.json", "--run", "other");
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('there is no objective "prefix-language-model"');
  });

  it("a filter of one file is measured for every document, judges, and costs its own pass when it changes", () => {
    const [text, plugin] = [join(folder, "loud"), join(folder, "filter.ts")];
    mkdirSync(text);
    const sentence =
      "The quick brown fox jumps over the lazy dog while nobody in the village pays attention to it at all. ";
    const other = "Whoever wrote this line wanted to be heard in every street of every town that lies near the river. ";
    writeFileSync(join(text, "calm.md"), sentence.repeat(8));
    writeFileSync(join(text, "loud.md"), other.toUpperCase().repeat(8));
    writeFileSync(plugin, readFileSync(join(root, "examples", "plugins", "shouting-filter.ts"), "utf8"));
    const settings = (measure: string) => ({
      plugins: [plugin],
      runFolder: "loud-run",
      corpus: {
        sources: [{ reader: "folder", path: text }],
        settings: {
          licences: { accept: ["allow", "attribute", "review"] },
          filters: { prose: { preset: "none", shouting: { [measure]: { maximum: 0.2 } } } },
        },
      },
      model: { layers: 1, width: 32, attentionHeads: 2 },
      training: { steps: 60 },
    });
    writeFileSync(join(folder, "loud.json"), JSON.stringify(settings("capitals")));
    const built = tilth("data", "build", "loud.json", "--json");
    expect(built.status, built.stderr).toBe(0);
    expect(JSON.parse(built.stdout)).toMatchObject({ documents: 2, kept: 1 });
    const sampled = tilth(
      "data",
      "query",
      "--corpus",
      "loud-run/corpus",
      "SELECT path, measures['shouting.capitals'] AS capitals, kept FROM documents ORDER BY path",
      "--json",
    );
    expect(sampled.status, sampled.stderr).toBe(0);
    expect(sampled.stdout).toMatch(/calm\.md/);
    // Another rule is another result, though settings and documents are the same.
    writeFileSync(plugin, readFileSync(plugin, "utf8").replace("capitals / letters", "0"));
    const again = tilth("data", "build", "loud.json", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ documents: 2, kept: 2 });
    writeFileSync(join(folder, "loud.json"), JSON.stringify(settings("capital")));
    const wrong = tilth("data", "build", "loud.json");
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toMatch(/"capital" is no measure of the filter shouting; did you mean "capitals"/);
  });

  it("a task of one file asks its questions", () => {
    const question = (number: number) =>
      JSON.stringify({
        ...{
          question: `What follows ${number}?`,
          correct_answer: String(number + 1),
          support: "Numbers follow each other.",
        },
        ...{ distractor1: "blue", distractor2: "nothing", distractor3: "a horse" },
      });
    writeFileSync(join(folder, "questions.jsonl"), [1, 2, 3, 4].map(question).join("\n"));
    const plugin = join(root, "examples", "plugins", "sciq-task.ts");
    const asked = ["eval", join(notes, "checkpoints", "step-0000060"), "--task", "sciq", "--data", "questions.jsonl"];
    const { status, stdout, stderr } = tilth(...asked, "--plugin", plugin, "--json");
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ task: "sciq", items: 4, licence: "CC-BY-NC-3.0", chance: 0.25 });
    expect(tilth(...asked).stderr).toContain('there is no task "sciq"');
    expect(tilth(...asked, "--plugin", "missing.ts").stderr).toContain("there is no plugin");
  });
});
