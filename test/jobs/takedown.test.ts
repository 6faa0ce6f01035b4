import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCorpus, openDocumentStore } from "../../src/corpus/index.ts";
import { openMegatronShard } from "../../src/formats/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { stepsThatSaw } from "../../src/jobs/document-map.ts";
import { takeDown } from "../../src/jobs/index.ts";
import { writeRunDescription } from "../../src/jobs/run-folder.ts";
import { shardPrefix, tokenizeJob } from "../../src/jobs/tokenize.ts";
import { sequencesOfStep } from "../../src/objectives/index.ts";
import { tokenizerSettings } from "../../src/tokenizer/index.ts";
import { trainingConfiguration } from "../../src/training/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-takedown-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const fresh = join(root, "fresh");
const settings = { licences: { accept: ["allow", "attribute", "review"] as ("allow" | "attribute" | "review")[] } };
const sources = [{ reader: "folder" as const, path: join(root, "texts") }];
const request = { ids: [], urls: [], licences: [], queries: [], reason: "asked by its author", quotes: false };

/** Every document of the store and the shards by id. */
async function contents(run: string) {
  const store = await openDocumentStore(join(run, "corpus"));
  const texts = new Map<string, string>();
  for await (const { id, text } of store.documents()) texts.set(id, text);
  const rows = new Map((await store.query("SELECT * FROM documents")).map((row) => [String(row.id), row]));
  const kept = [...rows.values()].flatMap(({ id, kept }) => (kept ? [String(id)] : [])).sort();
  store.close();
  const tokens = new Map<string, string>();
  for (const split of ["train", "validation"] as const) {
    const prefix = shardPrefix(join(run, "shards"), split);
    const names = readFileSync(`${prefix}.documents.txt`, "utf8").trim().split("\n");
    const shard = openMegatronShard(prefix);
    expect(names.length).toBe(shard.documents);
    for (const [index, id] of names.entries()) tokens.set(id, shard.read(index).join(" "));
    shard.close();
  }
  return { texts, rows, tokens, kept };
}

/** All spans of 50 tokens in a row. */
function* spansOf(tokens: readonly string[]): Generator<string> {
  for (let start = 0; start + 50 <= tokens.length; start++) yield tokens.slice(start, start + 50).join(" ");
}

/** Builds a corpus of the sources and its shards in `run`. */
async function prepare(run: string, from: typeof sources, vocabularySize = 400): Promise<void> {
  mkdirSync(run);
  const corpus = await buildCorpus({ sources: from, folder: join(run, "corpus"), settings, workers: 0 });
  await tokenizeJob.run(
    {
      store: corpus.folder,
      storeKey: corpus.key,
      folder: join(run, "shards"),
      training: tokenizerSettings.parse({ vocabularySize }),
      specialTokens: [],
    },
    { emit: () => {}, shouldStop: () => false },
  );
}

beforeAll(async () => {
  const files = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`text-${i}.md`, `${prose(14, i)}\n`]));
  writeFiles(join(root, "texts"), files);
  await prepare(fresh, sources);
}, 120_000);

describe("a take-down of 100 random documents", () => {
  const run = join(root, "hundred");
  // Real text: documentation, sources and declarations, with versions of one file, shared headers and licences.
  const real = [{ reader: "folder" as const, path: join(root, "packages") }];

  it("leaves none of their 50-token spans in shards or store, and everything else as it was", async () => {
    for (const name of ["linkedom", "csv-parse", "tar-stream", "d3-array", "d3-scale", "piscina"]) {
      cpSync(join("node_modules", name), join(root, "packages", name), {
        recursive: true,
        filter: (path) => !/\.(c?js\.map|[cm]ts\.map)$/.test(path),
      });
    }
    await prepare(run, real, 4096);
    const before = await contents(run);
    expect(before.kept.length).toBeGreaterThan(300);
    const random = new Random(7);
    const ids = [...before.kept].sort(() => random.uniform() - 0.5).slice(0, 100);
    const result = await takeDown({ store: join(run, "corpus"), runFolder: run }, { ...request, ids, quotes: true });
    expect(result.quotedBy).toEqual([]);
    expect(result.proof).toMatchObject({ leftInStore: 0, leftInShards: 0 });
    expect(result.proof.spans).toBeGreaterThan(5000);
    const gone = new Set(result.documents.map(({ id }) => id));
    for (const id of ids) expect(gone).toContain(id);

    const after = await contents(run);
    expect(after.kept.length).toBeGreaterThan(200);
    // A token of a text is a run of letters and digits, or one other visible character.
    const words = (text: string) => text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
    const removedWords = new Set(ids.flatMap((id) => [...spansOf(words(before.texts.get(id)!))]));
    const removedTokens = new Set(ids.flatMap((id) => [...spansOf(before.tokens.get(id)!.split(" "))]));
    expect(removedWords.size).toBeGreaterThan(5000);
    expect(removedTokens.size).toBeGreaterThan(5000);
    for (const text of after.texts.values()) {
      for (const span of spansOf(words(text))) expect(removedWords.has(span)).toBe(false);
    }
    for (const tokens of after.tokens.values()) {
      for (const span of spansOf(tokens.split(" "))) expect(removedTokens.has(span)).toBe(false);
    }
    // The files themselves, not only what their readers show: shards hold the kept documents' tokens and nothing else.
    for (const split of ["train", "validation"] as const) {
      const shard = openMegatronShard(shardPrefix(join(run, "shards"), split));
      let tokens = 0;
      for (let index = 0; index < shard.documents; index++) tokens += shard.read(index).length;
      shard.close();
      expect(statSync(`${shardPrefix(join(run, "shards"), split)}.bin`).size).toBe(tokens * 2);
    }
    for (const [id, row] of before.rows) if (!gone.has(id)) expect(after.rows.get(id)).toEqual(row);
    for (const [id, text] of before.texts) expect(after.texts.get(id)).toBe(gone.has(id) ? "" : text);
    for (const [id, tokens] of before.tokens) expect(after.tokens.get(id)).toBe(gone.has(id) ? undefined : tokens);
    expect(after.kept).toEqual(before.kept.filter((id) => !gone.has(id)));
    expect(existsSync(join(run, "corpus-cache"))).toBe(false);
  });

  it("lasts through another build of the same sources", async () => {
    const before = await contents(run);
    await buildCorpus({ sources: real, folder: join(run, "corpus"), settings, workers: 0 });
    const store = await openDocumentStore(join(run, "corpus"));
    for await (const { id, text } of store.documents()) if (before.texts.get(id) === "") expect(text).toBe("");
    const [{ count }] = await store.query("SELECT count(*) AS count FROM documents WHERE reason LIKE 'taken-down%'");
    expect(Number(count)).toBeGreaterThanOrEqual(100);
    store.close();
  });
});

describe("a crash during a take-down", () => {
  const query = "path LIKE 'text-3_.md'";
  const stages = ["tombstones", "shards", "shard train", "shard validation", "store", "leftovers", "done"];

  it.each(stages)("before or in the stage %s leaves a usable state, and the next call finishes", async (stage) => {
    const run = join(root, `crash-${stage.replace(" ", "-")}`);
    cpSync(fresh, run, { recursive: true });
    const places = { store: join(run, "corpus"), runFolder: run };
    const crash = (reached: string) => {
      if (reached === stage) throw new Error("crash");
    };
    await expect(takeDown(places, { ...request, queries: [query] }, crash)).rejects.toThrow("crash");
    expect((await contents(run)).texts.size).toBe(400);
    const { proof } = await takeDown(places, { ...request, queries: [`${query} OR path = 'text-77.md'`] });
    expect(proof).toMatchObject({ leftInStore: 0, leftInShards: 0 });
    const after = await contents(run);
    const store = await openDocumentStore(join(run, "corpus"));
    for (const { id } of await store.query(`SELECT id FROM documents WHERE ${query} OR path = 'text-77.md'`)) {
      expect(after.texts.get(String(id))).toBe("");
      expect(after.tokens.has(String(id))).toBe(false);
    }
    store.close();
    expect(readdirSync(join(run, "corpus"))).toHaveLength(2);
    expect(readdirSync(join(run, "shards")).filter((name) => name.endsWith(".bin"))).toHaveLength(2);
  });
});

describe("a take-down after another", () => {
  const [sequenceLength, batchSequences, seed] = [64, 40, 11];

  /** Ids of the documents that a step reads from the shard as it lies there now. */
  function readBy(run: string): (step: number) => Set<string> {
    const prefix = shardPrefix(join(run, "shards"), "train");
    const names = readFileSync(`${prefix}.documents.txt`, "utf8").trim().split("\n");
    const shard = openMegatronShard(prefix);
    const owner = names.flatMap((name, index) => Array<string>(shard.lengths[index]).fill(name));
    shard.close();
    const sequences = Math.floor((owner.length - 1) / sequenceLength);
    return (step) =>
      new Set(
        sequencesOfStep(step, batchSequences, sequences, seed).flatMap((sequence) =>
          owner.slice(sequence * sequenceLength, (sequence + 1) * sequenceLength + 1),
        ),
      );
  }

  it("names steps by the order of the shard that each of them read", { timeout: 60_000 }, async () => {
    const run = join(root, "twice");
    cpSync(fresh, run, { recursive: true });
    const places = { store: join(run, "corpus"), runFolder: run };
    writeRunDescription(run, {
      configuration: {},
      device: { backend: "reference" },
      model: { architecture: "llama", configuration: {} },
      training: trainingConfiguration.parse({ steps: 180, sequenceLength, batchSequences, seed }),
      objective: { kind: "next-token" },
      corpusKey: "",
    });
    const train = (from: number, to: number) => {
      const shard = basename(shardPrefix(join(run, "shards"), "train"));
      for (let step = from; step <= to; step++)
        appendFileSync(join(run, "log.jsonl"), `${JSON.stringify({ kind: "step", step, loss: 1, shard })}\n`);
      const read = readBy(run);
      return (document: string) =>
        Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((step) => read(step).has(document));
    };
    const stages = [train(1, 60)];
    const expectedOf = (document: string) => stages.flatMap((sawIn) => sawIn(document));
    const [first, ...others] = (await contents(run)).tokens.keys();
    const once = await takeDown(places, { ...request, ids: [first] });
    expect(once.steps).toEqual(expectedOf(first));
    expect(once.steps.length).toBeGreaterThan(0);
    stages.push(train(61, 120));
    const second = await takeDown(places, { ...request, ids: [others[40]] });
    expect(second.steps).toEqual(expectedOf(others[40]));
    stages.push(train(121, 180));
    for (const id of [others[100], others[200]]) {
      const { steps } = await takeDown(places, { ...request, ids: [id] });
      expect(steps).toEqual(expectedOf(id));
      expect(steps.filter((step) => step <= 60).length).toBeGreaterThan(0);
      expect(steps.filter((step) => step > 120).length).toBeGreaterThan(0);
    }
    // What was taken down first can still be asked about: the steps that saw it stay the same.
    expect((await takeDown(places, { ...request, ids: [first] })).steps).toEqual(once.steps);
  });
});

it("lists exactly the steps whose batches read a token of the document", () => {
  const order = {
    tokens: 1000,
    sequenceLength: 16,
    batchSequences: 3,
    seed: 5,
    steps: Array.from({ length: 50 }, (_, i) => i + 1),
  };
  for (const [start, end] of [
    [0, 1],
    [16, 17],
    [500, 560],
  ]) {
    const expected = order.steps.filter((step) =>
      sequencesOfStep(step, 3, 62, 5).some((sequence) => sequence * 16 < end && sequence * 16 + 17 > start),
    );
    expect(stepsThatSaw([{ document: "x", start, end }], order)).toEqual(expected);
  }
});
