import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { gramWordsOf } from "../../src/corpus/decontamination/contamination.ts";
import { cut } from "../../src/corpus/decontamination/removal.ts";
import {
  buildCorpus,
  type CorpusSettingsInput,
  contaminationOf,
  type EvaluationSetInput,
  loadEvaluationSets,
  openDocumentStore,
  parseEvaluationSets,
} from "../../src/corpus/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-decontamination-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, "one-"));
});

/** Questions of bank customers, from banking77 (Casanueva et al. 2020, CC-BY-4.0). */
const questions = [
  "The card I thought was lost was just in my jacket, so can I reactivate it since I found it this morning?",
  "How long should it take for my new card to arrive in them mail? What should I do if I never receive it?",
  "This exchange rate you use is awful! Please tell me this is a mistake and not the official interbank exchange rate!",
];
const settings: CorpusSettingsInput = {
  licences: { accept: ["allow", "attribute", "review"] },
  filters: { prose: { preset: "none" } },
  language: { minimumScore: 0 },
  deduplication: { minimumSimilarity: null },
};

async function build(files: Record<string, string>, evaluationSets: EvaluationSetInput[]) {
  rmSync(join(folder, "text"), { recursive: true, force: true });
  writeFiles(join(folder, "text"), files);
  const sources = [{ reader: "folder" as const, path: join(folder, "text") }];
  await buildCorpus({ sources, evaluationSets, settings, folder: join(folder, "store"), workers: 0 });
  const store = await openDocumentStore(join(folder, "store"));
  try {
    const rows = await store.query("SELECT path, text, kept, reason, edits FROM documents");
    return Object.fromEntries(
      rows.map((row) => [
        String(row.path),
        { text: String(row.text), kept: row.kept, reason: row.reason, edits: JSON.parse(String(row.edits)) },
      ]),
    );
  } finally {
    store.close();
  }
}

function quiz(items: readonly string[] = questions): EvaluationSetInput {
  const path = join(folder, "quiz.jsonl");
  writeFileSync(path, items.map((question) => JSON.stringify({ question, answer: "yes" })).join("\n"));
  return { name: "quiz", path, fields: ["question"], licence: "CC-BY-4.0" };
}

describe("GPT-3's rule", () => {
  it("removes a match with 200 characters on either side, whatever its case and punctuation", async () => {
    const [before, after] = [prose(20, 1), prose(20, 2)];
    const shouted = questions[0].toUpperCase().replace(/[,.?']/g, (mark) => (mark === "'" ? "'" : " --"));
    const rows = await build({ "a.md": `${before} ${shouted} ${after}`, "b.md": prose(20, 3) }, [quiz()]);
    const { text, edits } = rows["a.md"];
    expect(rows["a.md"].kept).toBe(true);
    expect(edits).toMatchObject([{ stage: "decontamination", reason: "quiz" }]);
    // The match begins with the first word and ends with the last, so 200 characters before it begin in `before`.
    const [first, second] = text.split("\n\n");
    expect(first).toBe(before.slice(0, before.length - 199).trim());
    expect(after.endsWith(second)).toBe(true);
    expect(after.length - second.length).toBeGreaterThanOrEqual(195);
    expect(after.length - second.length).toBeLessThanOrEqual(201);
    expect(rows["b.md"]).toMatchObject({ kept: true, edits: [] });
  });

  it("leaves 12 shared words alone", async () => {
    const words = questions[0].split(" ");
    const twelve = words.slice(0, 12).join(" ");
    const rows = await build({ "a.md": `${prose(20, 1)} ${twelve} ${prose(20, 2)}` }, [quiz()]);
    expect(rows["a.md"].edits).toEqual([]);
    const thirteen = words.slice(0, 13).join(" ");
    const more = await build({ "a.md": `${prose(20, 1)} ${thirteen} ${prose(20, 2)}` }, [quiz()]);
    expect(more["a.md"].edits).toHaveLength(1);
  });

  it("drops pieces of fewer than 200 characters, and a document of which nothing is left", async () => {
    const rows = await build(
      { "a.md": `${prose(3, 1)} ${questions[0]} ${prose(30, 2)}`, "b.md": `Short. ${questions[1]} And so on.` },
      [quiz()],
    );
    expect(rows["a.md"].text).not.toContain("\n\n");
    expect(prose(30, 2).endsWith(rows["a.md"].text.trim())).toBe(true);
    expect(rows["b.md"]).toMatchObject({ kept: false, text: "", reason: "decontamination: ngram: quiz" });
  });

  it("drops a document that matches cut into more than 10 pieces", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => `${prose(16, index, count)} ${questions[index % 3]}`).join(" ");
    const rows = await build({ "nine.md": `${many(9)} ${prose(9, 99)}`, "ten.md": `${many(10)} ${prose(9, 98)}` }, [
      quiz(),
    ]);
    expect(rows["nine.md"].kept).toBe(true);
    expect(rows["nine.md"].text.split("\n\n")).toHaveLength(10);
    expect(rows["ten.md"]).toMatchObject({ kept: false, reason: "decontamination: ngram: quiz" });
  });

  it("ignores n-grams that stand in more than 10 documents", async () => {
    const files = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [
          `${index}.md`,
          `${prose(20, index)} ${questions[2]} ${prose(9, index, 1)}`,
        ]),
      );
    const ten = await build(files(10), [quiz()]);
    expect(Object.values(ten).every(({ edits }) => edits.length === 1)).toBe(true);
    const eleven = await build(files(11), [quiz()]);
    expect(Object.values(eleven).every(({ edits }) => edits.length === 0)).toBe(true);
  });

  it("cuts as the figures say", () => {
    const rule = { removedCharacters: 200, minimumPieceCharacters: 200 };
    const text = "x".repeat(3000);
    expect(cut(text, [{ start: 1000, end: 1100 }], rule)).toEqual({ spans: [[800, 1300]], pieces: 2 });
    // The second match's margin leaves 150 characters between: they go, but count as a piece.
    const two = [
      { start: 1000, end: 1100 },
      { start: 1650, end: 1700 },
    ];
    expect(cut(text, two, rule)).toEqual({ spans: [[800, 1900]], pieces: 3 });
    expect(cut(text, [{ start: 100, end: 150 }], rule)).toEqual({ spans: [[0, 350]], pieces: 1 });
    expect(cut(text, [{ start: 380, end: 400 }], rule)).toEqual({ spans: [[0, 600]], pieces: 2 });
    expect(cut("x".repeat(500), [{ start: 240, end: 260 }], rule)).toEqual({ spans: [[0, 500]], pieces: 2 });
  });
});

describe("contamination by item", () => {
  it("finds exactly the planted items, with their spans and documents", async () => {
    await build({ "a.md": `${prose(9, 1)} ${questions[1]} ${prose(9, 2)}`, "b.md": prose(20, 3) }, []);
    const half = questions[2].split(" ").slice(0, 15).join(" ");
    writeFiles(join(folder, "text"), { "c.md": `${prose(9, 4)} ${half} ${prose(9, 5)}` });
    const sources = [{ reader: "folder" as const, path: join(folder, "text") }];
    await buildCorpus({ sources, settings, folder: join(folder, "store"), workers: 0 });
    const store = await openDocumentStore(join(folder, "store"));
    const sets = await loadEvaluationSets(parseEvaluationSets([quiz([...questions, "Too short."])]), folder);
    const [found] = await contaminationOf(store, sets);
    const ids = await store.query("SELECT id, path FROM documents");
    store.close();
    const idOf = (path: string) => ids.find((row) => row.path === path)?.id;
    expect(found).toMatchObject({ name: "quiz", items: 4, tooShort: 1, ngramWords: 8, licence: "CC-BY-4.0" });
    expect(found.contaminated.map(({ item }) => item)).toEqual([1, 2]);
    const [whole, part] = found.contaminated;
    expect(whole.share).toBe(1);
    expect(whole.spans).toMatchObject([
      { text: 0, start: 0, matched: questions[1].slice(0, -1), document: idOf("a.md") },
    ]);
    expect(part.share).toBeLessThan(1);
    expect(part.spans).toMatchObject([{ matched: half, document: idOf("c.md") }]);
  });

  it("chooses the length of n-grams as GPT-3 did", () => {
    const items = (words: number) =>
      Array.from({ length: 100 }, () => [prose(40, words).split(" ").slice(0, words).join(" ")]);
    expect([3, 8, 11, 13, 60].map((words) => gramWordsOf({ items: items(words) }))).toEqual([8, 8, 11, 13, 13]);
  });
});

describe("evaluation sets", () => {
  it("are read from Parquet, with lists of texts", async () => {
    const path = join(folder, "set.parquet");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(`COPY (SELECT 'Which one?' AS stem, ['the first', 'the second'] AS choices) TO '${path}'`);
    connection.closeSync();
    instance.closeSync();
    const [set] = await loadEvaluationSets(
      parseEvaluationSets([{ name: "set", path, fields: ["stem", "choices"] }]),
      ".",
    );
    expect(set.items).toEqual([["Which one?", "the first", "the second"]]);
  });

  it("name what is wrong with them", async () => {
    const load = (set: object) => loadEvaluationSets(parseEvaluationSets([{ ...quiz(), ...set }]), folder);
    await expect(load({ path: "missing.jsonl" })).rejects.toThrow('the evaluation set "quiz" is missing');
    await expect(load({ fields: ["questions"] })).rejects.toThrow('has no field "questions" in any item');
    writeFileSync(join(folder, "bad.jsonl"), '{"question": "fine"}\nnot json\n');
    await expect(load({ path: "bad.jsonl" })).rejects.toThrow(/bad\.jsonl line 2 is no JSON object/);
    expect(() => parseEvaluationSets([{ ...quiz(), field: ["x"] }])).toThrow('did you mean "fields"?');
    expect(existsSync(join(folder, "quiz.jsonl"))).toBe(true);
  });
});
