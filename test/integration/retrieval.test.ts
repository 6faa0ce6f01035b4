import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { verifyLineage } from "../../src/lineage/index.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-retrieval-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tilth(...parameters: string[]) {
  return spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });
}

function succeeds(...parameters: string[]): string {
  const { status, stdout, stderr } = tilth(...parameters);
  expect(status, stderr).toBe(0);
  return stdout;
}

const json = <Output>(...parameters: string[]) => JSON.parse(succeeds(...parameters, "--json")) as Output;

/** Beginnings of real documents: few enough for a tiny model to learn them by heart. */
const names = ["pep-0201", "pep-0236", "pep-0248", "pep-0256", "pep-0263", "pep-0272", "pep-0275"];
const textOf = (name: string) => readFileSync(join(process.cwd(), "examples/peps", `${name}.rst`), "utf8");
/** What the store holds of those that train: addresses and the like were replaced. */
const stored = new Map<string, string>();
const learned = (name: string) => textOf(name).slice(0, 1400);
const [fresh, trained] = ["runs/fresh/checkpoints/step-0000002", "runs/notes/checkpoints/step-0000400"];

beforeAll(() => {
  mkdirSync(join(folder, "texts"));
  for (const name of names) writeFileSync(join(folder, "texts", `${name}.rst`), learned(name));
  const off = ["length", "gopher-quality", "gopher-repetition", "fineweb", "c4", "encoded-data", "toxicity"];
  const configuration = {
    ...{ runFolder: "runs/notes", tokenizer: { vocabularySize: 400 } },
    corpus: {
      sources: [{ reader: "folder", path: "texts", licence: "CC0-1.0" }],
      settings: {
        filters: { prose: Object.fromEntries(off.map((name) => [name, null])) },
        split: { validationShare: 0.1 },
      },
    },
    model: { architecture: "llama", width: 96, layers: 2, attentionHeads: 2 },
    training: {
      ...{ steps: 400, batchSequences: 16, microBatchSequences: 8, sequenceLength: 128, learningRate: 6e-3 },
      ...{ schedule: { warmupSteps: 20 }, checkpointEvery: 400 },
    },
  };
  writeFileSync(join(folder, "notes.yaml"), JSON.stringify(configuration));
  succeeds("train", "notes.yaml");
  const sql = "SELECT path, text FROM documents WHERE split = 'train' ORDER BY path DESC";
  for (const { path, text } of json<{ path: string; text: string }[]>("data", "query", sql, "--corpus", "runs/notes")) {
    stored.set(path, text);
  }
  const few = ["--set", "training.steps=2", "--set", "training.schedule.warmupSteps=1"];
  succeeds("train", "notes.yaml", "--run", "runs/fresh", ...few);
}, 120_000);

interface Place {
  readonly path: string;
  readonly licence: string;
  readonly passes: number;
}
interface Span {
  readonly text: string;
  readonly length: number;
  readonly places: readonly Place[];
}

it("a model that learned its text by heart recites it, and a fresh one does not", () => {
  interface Memorisation {
    readonly unprompted: { readonly memorised: { readonly value: number } };
    readonly prompted: { readonly memorised: { readonly value: number; readonly interval: readonly number[] } };
    readonly spans: readonly Span[];
  }
  const asked = ["--samples", "12", "--prefix-tokens", "20", "--minimum-tokens", "50"];
  const found = json<Memorisation>("eval", "memorisation", trained, ...asked);
  expect(found.prompted.memorised.interval[0]).toBeGreaterThan(0.25);
  for (const { text, length, places } of found.spans) {
    expect(length).toBeGreaterThanOrEqual(50);
    const [{ path, licence, passes }] = places;
    expect(stored.get(path)).toContain(text);
    expect(licence).toBe("CC0-1.0");
    expect(passes).toBeGreaterThan(50);
  }
  const before = json<Memorisation>("eval", "memorisation", fresh, ...asked);
  expect(before.prompted.memorised.value).toBe(0);
  expect(before.spans).toEqual([]);
});

it("an output leads to the documents that it comes from", () => {
  interface Influence {
    readonly outputs: readonly {
      readonly output: string;
      readonly covered: number;
      readonly spans: readonly Span[];
      readonly nearest: readonly { readonly path: string }[];
    }[];
  }
  const [[path, text]] = stored;
  const prompt = text.slice(0, text.indexOf("\n", 60));
  const asked = ["--prompt", prompt, "--maximum-tokens", "60"];
  const { outputs } = json<Influence>("influence", trained, ...asked, "--minimum-tokens", "12");
  const [{ output, covered, spans }] = outputs;
  expect(text.slice(prompt.length)).toContain(spans[0].text);
  expect(output).toContain(spans[0].text);
  expect(spans[0].places[0].path).toBe(path);
  expect(covered).toBeGreaterThan(0.5);
  // Words that no document has; the whole text of one, by representation.
  const other = json<Influence>("influence", trained, "--output", "zq zq zq zq", "--output", learned("pep-0248"));
  expect(other.outputs[0].spans).toEqual([]);
  expect(other.outputs[1].nearest[0].path).toBe("pep-0248.rst");
  const { status, stderr } = tilth("influence", trained);
  expect(status).toBe(2);
  expect(stderr).toContain("--prompt");
});

it("a corpus is embedded into a file, searched, and known to the lineage", async () => {
  const { rows } = json<{ rows: number }>("embed", trained, "--corpus", "runs/notes", "--out", "vectors.parquet");
  expect(rows).toBe(names.length);
  interface Found {
    readonly hits: readonly { readonly path: string; readonly score: number; readonly licence: string }[];
  }
  for (const name of names.slice(0, 3)) {
    const [hit] = json<Found>("search", "vectors.parquet", learned(name), "--top", "2").hits;
    expect(hit).toMatchObject({ path: `${name}.rst`, licence: "CC0-1.0" });
    expect(hit.score).toBeGreaterThan(0.9);
  }
  const { hits } = json<Found>("search", "vectors.parquet", "codecs", "--where", "path LIKE 'pep-02%3.rst'");
  expect(hits.map(({ path }) => path)).toEqual(["pep-0263.rst"]);
  const { status, stderr } = tilth("search", "vectors.parquet", "codecs", "--model", fresh);
  expect(status).toBe(2);
  expect(stderr).toContain("made by another model");
  const verified = await verifyLineage(join(folder, "vectors.parquet"));
  expect(verified.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["embeddings", "checkpoint", "corpus"]));
  expect(verified.flatMap(({ problems }) => problems)).toEqual([]);
});

it("pictures are found by words and by pictures", () => {
  const set = join(process.cwd(), "examples/emoji");
  const lines = readFileSync(join(set, "captions.jsonl"), "utf8").split("\n").slice(0, 60);
  mkdirSync(join(folder, "pictures/images"), { recursive: true });
  writeFileSync(join(folder, "pictures/captions.jsonl"), lines.join("\n"));
  const images = lines.map((line) => (JSON.parse(line) as { image: string }).image);
  for (const image of images) cpSync(join(set, image), join(folder, "pictures", image));
  writeFileSync(
    join(folder, "clip.yaml"),
    JSON.stringify({
      ...{ preset: "clip-tiny", runFolder: "runs/clip", tokenizer: { vocabularySize: 400 } },
      images: { path: "pictures", background: "#ffffff" },
      model: {
        ...{ embeddingWidth: 16, text: { width: 16, layers: 1, attentionHeads: 2 } },
        vision: { width: 16, layers: 1, attentionHeads: 2, imageSize: 16, patchSize: 8 },
      },
      training: { steps: 20, batchPairs: 16, microBatchPairs: 8, schedule: { warmupSteps: 4 } },
    }),
  );
  succeeds("train", "clip.yaml");
  const clip = "runs/clip/checkpoints/step-0000020";
  const { rows } = json<{ rows: number }>("embed", clip, "--images", "pictures", "--out", "pictures.parquet");
  expect(rows).toBe(60);
  interface Found {
    readonly hits: readonly { readonly path: string; readonly score: number }[];
  }
  const same = json<Found>("search", "pictures.parquet", "--image", join("pictures", images[7]), "--top", "1");
  expect(same.hits[0].score).toBeCloseTo(1, 4);
  expect(images[7]).toContain(same.hits[0].path.replace(/^images\//, ""));
  expect(json<Found>("search", "pictures.parquet", "a face", "--top", "3").hits).toHaveLength(3);
  const { status, stderr } = tilth("embed", trained, "--images", "pictures", "--out", "none.parquet");
  expect(status).not.toBe(0);
  expect(stderr).toContain("sees no pictures");
});
