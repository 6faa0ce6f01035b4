import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  buildCorpus,
  type CorpusBuild,
  type MixturePlan,
  mixtureSettings,
  openDocumentStore,
} from "../../src/corpus/index.ts";
import { openMegatronShard } from "../../src/formats/index.ts";
import { takeDown } from "../../src/jobs/index.ts";
import { planMixtureJob } from "../../src/jobs/plan-mixture.ts";
import { shardPrefix, type TokenizeInput, tokenizeJob } from "../../src/jobs/tokenize.ts";
import { tokenizerSettings } from "../../src/tokenizer/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-mixture-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const context = { emit: () => {}, shouldStop: () => false };
let corpus: CorpusBuild;
let groupOf: Map<string, string>;

const mixture = mixtureSettings.parse({
  groups: [
    {
      name: "long",
      sources: ["folder:a*"],
      measure: "gopher-quality.words",
      minimum: 200,
      share: 0.5,
      maximumEpochs: 3,
    },
    { name: "short", sources: ["folder:a*"], weight: 2 },
    { name: "folder:beta", weight: 0.9 },
  ],
  groupBy: "source",
  temperature: 2,
});
const inputOf = (folder: string, one = mixture): TokenizeInput => ({
  store: corpus.folder,
  storeKey: corpus.key,
  folder: join(root, folder),
  training: tokenizerSettings.parse({ vocabularySize: 400 }),
  specialTokens: [],
  mixture: one,
});

/** Tokens, copies by document and group of a training shard, read from its files. */
function contents(folder: string) {
  const prefix = shardPrefix(folder, "train");
  const names = readFileSync(`${prefix}.documents.txt`, "utf8").trim().split("\n");
  const shard = openMegatronShard(prefix);
  expect(names.length).toBe(shard.documents);
  const copies = new Map<string, string[]>();
  const tokens: Record<string, number> = {};
  for (const [index, id] of names.entries()) {
    copies.set(id, [...(copies.get(id) ?? []), shard.read(index).join(" ")]);
    const group = groupOf.get(id)!;
    tokens[group] = (tokens[group] ?? 0) + shard.lengths[index];
  }
  const total = shard.tokens;
  shard.close();
  return { names, copies, tokens, total };
}

beforeAll(async () => {
  for (const [folder, count] of Object.entries({ alpha: 60, beta: 300 })) {
    const files = Array.from({ length: count }, (_, i) => [`${i}.md`, `${prose(10 + (i % 3) * 6, count, i)}\n`]);
    writeFiles(join(root, folder), Object.fromEntries(files));
  }
  corpus = await buildCorpus({
    sources: ["alpha", "beta"].map((name) => ({ reader: "folder" as const, path: join(root, name), name })),
    folder: join(root, "corpus"),
    settings: { licences: { accept: ["allow", "attribute", "review"] } },
    workers: 0,
  });
  const store = await openDocumentStore(corpus.folder);
  const rows = await store.query(
    "SELECT id, CASE WHEN source = 'folder:alpha' THEN if(measures['gopher-quality.words'] >= 200, 'long', 'short') ELSE source END AS name FROM documents",
  );
  groupOf = new Map(rows.map(({ id, name }) => [String(id), String(name)]));
  store.close();
  expect(new Set(groupOf.values())).toEqual(new Set(["long", "short", "folder:beta"]));
}, 120_000);

describe("a mixed training shard", () => {
  it("holds exactly what the plan says, before and after it is written", async () => {
    const input = inputOf("shards");
    const plan = await planMixtureJob.run(input, context);
    expect(existsSync(input.folder)).toBe(false);
    const output = await tokenizeJob.run(input, context);
    const { copies, tokens, total } = contents(input.folder);
    expect(output.tokens).toBe(plan.tokens);
    expect(total).toBe(plan.tokens);
    expect(tokens).toEqual(Object.fromEntries(plan.groups.map((group) => [group.name, group.tokens])));
    expect([...copies.values()].reduce((sum, { length }) => sum + length, 0)).toBe(plan.copies);
    expect(plan.groups.find(({ name }) => name === "long")).toMatchObject({ capped: true, epochs: 3 });
    for (const [id, texts] of copies) {
      expect(new Set(texts).size).toBe(1);
      if (groupOf.get(id) === "long") expect(texts).toHaveLength(3);
    }
    expect(JSON.parse(readFileSync(join(input.folder, "mixture.json"), "utf8")) as MixturePlan).toEqual(plan);
    expect(readdirSync(input.folder).some((name) => name.startsWith("once"))).toBe(false);
  });

  it("is the same again, and another mixture keeps the tokenizer", async () => {
    const again = inputOf("again");
    await tokenizeJob.run(again, context);
    const bytes = (folder: string) => readFileSync(join(root, folder, "train.bin"));
    expect(bytes("again").equals(bytes("shards"))).toBe(true);
    const tokenizer = readFileSync(join(again.folder, "tokenizer.json"), "utf8");
    const other = await tokenizeJob.run(
      inputOf("again", mixtureSettings.parse({ maximumEpochs: 1, tokens: 9000 })),
      context,
    );
    expect(other.tokens).toBeLessThanOrEqual(9000);
    expect(bytes("again").equals(bytes("shards"))).toBe(false);
    expect(readFileSync(join(again.folder, "tokenizer.json"), "utf8")).toBe(tokenizer);
  });

  it("loses every copy of what is taken down", async () => {
    const before = contents(join(root, "shards"));
    const [id] = [...before.copies].find(([, texts]) => texts.length === 3)!;
    const request = { ids: [id], urls: [], licences: [], queries: [], reason: "asked", quotes: false };
    const result = await takeDown({ store: corpus.folder, runFolder: root }, request);
    expect(result.ranges.train.filter(({ document }) => document === id)).toHaveLength(3);
    expect(result.proof).toMatchObject({ leftInStore: 0, leftInShards: 0 });
    const gone = new Set(result.documents.map((one) => one.id));
    const after = contents(join(root, "shards"));
    expect(after.names).toEqual(before.names.filter((name) => !gone.has(name)));
    expect(after.names).not.toContain(id);
  });
});
