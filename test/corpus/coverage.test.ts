import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  buildCorpus,
  coverageOf,
  type DocumentStore,
  loadEvaluationSets,
  openDocumentStore,
  parseEvaluationSets,
  renderCoverage,
} from "../../src/corpus/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-coverage-"));
let store: DocumentStore;
const texts = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.md`, prose(14, i)]));

async function covered(name: string, rows: readonly Record<string, string>[], topic?: string) {
  writeFileSync(join(root, `${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const set = { name, path: `${name}.jsonl`, fields: ["question"], ...(topic && { topic }) };
  const [result] = await coverageOf(store, await loadEvaluationSets(parseEvaluationSets([set]), root));
  return result;
}

beforeAll(async () => {
  writeFiles(join(root, "texts"), texts);
  await buildCorpus({
    sources: [{ reader: "folder", path: join(root, "texts") }],
    folder: join(root, "corpus"),
    settings: { licences: { accept: ["review", "attribute", "allow"] }, split: { validationShare: 0 } },
    workers: 0,
  });
  store = await openDocumentStore(join(root, "corpus"));
});
afterAll(() => {
  store.close();
  rmSync(root, { recursive: true, force: true });
});

const wordsOf = (text: string) => text.toLowerCase().match(/\p{L}+/gu)!;

describe("the coverage of a task", () => {
  it("counts n-grams as a plain search over all documents does", async () => {
    const questions = [
      texts["3.md"].slice(0, 180),
      prose(2, 991),
      "Quantum chromodynamics of the river",
      prose(1, 992),
    ];
    const documents = Object.values(texts).map((text) => ` ${wordsOf(text).join(" ")} `);
    const result = await covered(
      "plain",
      questions.map((question) => ({ question })),
    );
    expect(result).toMatchObject({ items: 4, sampled: 4, documents: 40 });
    expect(result.grams.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    for (const { n, distinct, covered: found, ofItem, items } of result.grams) {
      const byItem = questions.map((question) => {
        const words = wordsOf(question);
        return words.slice(0, Math.max(0, words.length - n + 1)).map((_, at) => words.slice(at, at + n).join(" "));
      });
      const isHeld = (gram: string) => documents.some((text) => text.includes(` ${gram} `));
      const different = [...new Set(byItem.flat())];
      expect([n, distinct, found]).toEqual([n, different.length, different.filter(isHeld).length]);
      const shares = byItem.filter(({ length }) => length > 0).map((own) => own.filter(isHeld).length / own.length);
      expect(items).toBe(shares.length);
      expect(ofItem!.value).toBeCloseTo(shares.reduce((sum, one) => sum + one, 0) / shares.length, 12);
      expect(ofItem!.interval[0]).toBeLessThanOrEqual(ofItem!.value);
      expect(ofItem!.interval[1]).toBeGreaterThanOrEqual(ofItem!.value);
    }
    expect(result.grams[12].covered).toBeGreaterThan(0);
  });

  const planted = [
    ...["harvest grain market bread", "market grain bread village", "bread harvest village grain"],
    ...["photon boson lepton hadron", "hadron lepton photon quark", "quark boson lepton photon"],
  ];

  it("finds topics by clustering, the same every time, and whether the corpus is about them", async () => {
    const rows = Array.from({ length: 24 }, (_, i) => ({ question: planted[(i % 2) * 3 + (i % 3)] }));
    const result = await covered("clusters", rows);
    expect(await covered("clusters", rows)).toEqual(result);
    const about = (word: string) => result.topics.filter(({ words }) => words.includes(word));
    for (const topic of result.topics)
      expect(topic.words.includes("bread") && topic.words.includes("photon")).toBe(false);
    expect(about("bread").every(({ covered: is }) => is)).toBe(true);
    expect(about("photon").every(({ covered: is, documents }) => !is && documents === 0)).toBe(true);
    expect(result.topics.reduce((sum, { items }) => sum + items, 0)).toBe(24);
    expect(result.itemsInCoveredTopics!.value).toBeCloseTo(0.5, 12);
  });

  it("takes the task's own topics where it has some", async () => {
    const rows = planted.map((question, i) => ({ question, subject: i < 3 ? "farming" : "physics" }));
    const result = await covered("labels", rows, "subject");
    expect(result.topics.map(({ label, items, covered: is }) => [label, items, is]).sort()).toEqual([
      ["farming", 3, true],
      ["physics", 3, false],
    ]);
    const text = renderCoverage([result]);
    expect(text).toContain("topics: 1 of 2 have 10 documents or more");
    expect(text).toContain("physics: ");
    await expect(covered("labels", rows, "nothing")).rejects.toThrow(/no field "nothing"/);
  });
});
