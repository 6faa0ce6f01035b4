import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { BuildLock } from "../../src/corpus/build-lock.ts";
import {
  buildCorpus,
  buildPart,
  type CorpusBuildOptions,
  type CorpusSettingsInput,
  mergeParts,
  openDocumentStore,
  parsePart,
} from "../../src/corpus/index.ts";
import { hashFile } from "../../src/foundation/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-build-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, "one-"));
});

const settings: CorpusSettingsInput = {
  licences: { accept: ["allow", "attribute", "review"] },
  filters: { prose: { preset: "none" } },
  language: { minimumScore: 0 },
};

const source = (name: string, licence?: string) => ({
  reader: "folder" as const,
  path: join(folder, name),
  name,
  licence,
});

const build = (options: Partial<CorpusBuildOptions> & Pick<CorpusBuildOptions, "sources">) =>
  buildCorpus({ folder: join(folder, "store"), settings, workers: 2, ...options });

interface Row {
  path: string;
  text: string;
  kept: boolean;
  reason: string | null;
  rejections: string;
  edits: string;
  cluster_reason: string;
}

async function rowsOf(store = join(folder, "store")): Promise<Record<string, Row>> {
  const opened = await openDocumentStore(store);
  try {
    const rows = await opened.query("SELECT * FROM documents");
    return Object.fromEntries(rows.map((row) => [String(row.path), row as unknown as Row]));
  } finally {
    opened.close();
  }
}

const bytesOf = (store: string) =>
  Promise.all([hashFile(join(store, "documents.parquet")), readFileSync(join(store, "corpus.json"), "utf8")]);

/** Documents with copies, near-copies and repeats among them. */
function manyDocuments(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const text = prose(12, index % 7 === 0 ? 7 : index);
      return [`${index % 10}/${index}.md`, index % 14 === 0 ? `${text} ${prose(1, index, 1)}` : text];
    }),
  );
}

describe("a build in parts", () => {
  it("gives the same bytes as one build, whatever the order of the parts and the number of workers", async () => {
    writeFiles(join(folder, "text"), manyDocuments(700));
    const deduplication = { lines: {}, substrings: {} };
    const options = { sources: [source("text")], settings: { ...settings, deduplication } };
    const whole = await build({ ...options, folder: join(folder, "whole"), cacheFolder: join(folder, "one") });
    const parts = { ...options, folder: join(folder, "parts"), cacheFolder: join(folder, "other") };
    for (const text of ["3/3", "1/3"]) await buildPart({ ...parts, workers: 1 }, parsePart(text));
    await expect(mergeParts(parts.folder)).rejects.toThrow("1 of 3 parts of the corpus are not done: 2");
    await buildPart({ ...parts, workers: 0 }, parsePart("2/3"));
    const merged = await mergeParts(parts.folder);
    expect(merged.key).toBe(whole.key);
    expect(merged.kept).toBeLessThan(merged.documents);
    expect(await bytesOf(parts.folder)).toEqual(await bytesOf(whole.folder));
    expect(existsSync(`${parts.folder}.parts`)).toBe(false);
  });

  it("refuses parts of different builds, and parts that are none", async () => {
    writeFiles(join(folder, "text"), manyDocuments(20));
    const options = { sources: [source("text")], settings, folder: join(folder, "store"), workers: 0 };
    await buildPart(options, { part: 1, parts: 2 });
    writeFiles(join(folder, "text"), { "added.md": prose(9, 1000) });
    await buildPart(options, { part: 2, parts: 2 });
    await expect(mergeParts(options.folder)).rejects.toThrow("are of different builds");
    await expect(mergeParts(join(folder, "nothing"))).rejects.toThrow("there are no parts");
    for (const text of ["0/3", "4/3", "a/b", "1"]) expect(() => parsePart(text)).toThrow("expected i/n");
  });
});

describe("a build", () => {
  it("records a document that takes too long and goes on with the others", async () => {
    const long = `${prose(400_000, 1)}\n`;
    writeFiles(join(folder, "text"), { "a.md": prose(20, 2), "b.md": long, "c.md": prose(20, 3) });
    const limits = { maximumFileBytes: 500_000_000, maximumDocumentSeconds: 0.4 };
    const built = await build({ sources: [source("text")], settings: { ...settings, ...limits } });
    expect(built.rejectedByReason).toEqual({ "failed: document.seconds": 1 });
    const rows = await rowsOf();
    expect([rows["a.md"].kept, rows["b.md"].kept, rows["c.md"].kept]).toEqual([true, false, true]);
    expect(JSON.parse(rows["b.md"].rejections)[0]).toMatchObject({
      value: 0.4,
      expected: "at most 0.4 seconds of work",
    });
    // What was recorded is in the cache: a second build does not wait again.
    rmSync(join(folder, "store"), { recursive: true });
    const again = await build({ sources: [source("text")], settings: { ...settings, ...limits }, workers: 0 });
    expect(again.key).toBe(built.key);
  });

  it("leaves nothing but the store, its cache and no lock", async () => {
    writeFiles(join(folder, "text"), manyDocuments(5));
    await build({ sources: [source("text")] });
    expect(readdirSync(folder).sort()).toEqual(["corpus-cache", "store", "text"]);
  });

  it("refuses to run beside a living build of the same corpus, and takes over from a dead one", async () => {
    writeFiles(join(folder, "text"), manyDocuments(5));
    // Process 1 lives as long as the machine.
    writeFiles(folder, { "store.lock": "1\n" });
    await expect(build({ sources: [source("text")] })).rejects.toThrow("process 1 is building the corpus");
    writeFiles(folder, { "store.lock": "4194999\n" });
    await build({ sources: [source("text")] });
    const lock = new BuildLock(join(folder, "store"));
    lock.release();
    expect(existsSync(join(folder, "store.lock"))).toBe(false);
  });

  it("keeps the copy with the best rights and says why", async () => {
    const text = prose(30, 5);
    writeFiles(join(folder, "a-gpl"), { "first.md": text });
    writeFiles(join(folder, "b-mit"), { "second.md": `${text} One more sentence stands here.` });
    await build({
      sources: [source("a-gpl", "GPL-3.0-only"), source("b-mit", "MIT")],
      settings: { ...settings, licences: { accept: ["allow", "attribute", "review", "deny"] } },
    });
    const rows = await rowsOf();
    expect(rows["second.md"].kept).toBe(true);
    expect(rows["first.md"].reason).toBe("near-duplicate: minhash");
    expect(rows["first.md"].cluster_reason).toMatch(/was chosen instead: better rights$/);
  });
});

describe("repeats inside documents", () => {
  const shared = prose(6, 90);
  const before = prose(20, 91);
  const after = prose(20, 92);

  it("are removed by line and by paragraph; one copy stays, in the document with the better rights", async () => {
    const notice = "This very line of the notice stands in each of the documents that follow here.";
    writeFiles(join(folder, "a"), { "a.md": `${notice}\n${before}\n\n${shared}\n` });
    writeFiles(join(folder, "b"), { "b.md": `${after}\n${notice}\n\n${shared}\n\n${prose(3, 93)}\n` });
    const sources = [source("a", "GPL-3.0-only"), source("b", "MIT")];
    const accept: ("allow" | "attribute" | "review" | "deny")[] = ["allow", "attribute", "review", "deny"];
    for (const unit of ["paragraphs", "lines"] as const) {
      await build({
        sources,
        settings: { ...settings, licences: { accept }, deduplication: { [unit]: { minimumTokens: 8 } } },
      });
      const rows = await rowsOf();
      expect(rows["b.md"].text).toBe(`${after}\n${notice}\n\n${shared}\n\n${prose(3, 93)}\n`);
      expect(rows["a.md"].text).toBe(unit === "lines" ? `${before}\n\n` : `${notice}\n${before}\n\n`);
      expect(JSON.parse(rows["a.md"].edits)[0].stage).toBe(`duplicate-${unit}`);
    }
  });

  it("are removed anywhere by suffix array from 50 tokens on, and a document of which too little is left is rejected", async () => {
    const words = (count: number) => shared.split(" ").slice(0, count).join(" ");
    writeFiles(join(folder, "text"), {
      "a.md": `${before} ${shared} ${prose(5, 94)}`,
      "b.md": `${after} ${shared} ${prose(5, 95)}`,
      "c.md": `${prose(20, 96)} ${words(40)} ${prose(5, 97)}`,
      "d.md": shared,
    });
    await build({ sources: [source("text")], settings: { ...settings, deduplication: { substrings: {} } } });
    const rows = await rowsOf();
    expect(rows["a.md"].text).toContain(shared);
    expect(rows["b.md"].text).not.toContain(words(30));
    // The full stop before the repeat is part of it.
    expect(rows["b.md"].text).toContain(after.slice(0, -1));
    expect(rows["c.md"].text).toContain(words(40));
    expect(rows["d.md"].reason).toBe("repeated-spans: minimumRemainingBytes");
  });
});

describe("a build against a corpus that was trained on before", () => {
  it("rejects copies of what it holds, exact, near and inside, and keeps the rest", async () => {
    const old = prose(40, 60);
    const quoted = prose(8, 61);
    writeFiles(join(folder, "old"), { "old.md": old, "quoted.md": `${prose(20, 62)} ${quoted}` });
    await build({
      sources: [source("old", "GPL-3.0-only")],
      folder: join(folder, "before"),
      settings: { ...settings, licences: { accept: ["deny", "review"] } },
    });
    writeFiles(join(folder, "new"), {
      "exact.md": old,
      "near.md": `${old} And another sentence.`,
      "fresh.md": `${prose(30, 63)} ${quoted} ${prose(4, 64)}`,
    });
    await build({
      sources: [source("new", "MIT")],
      against: [join(folder, "before")],
      settings: { ...settings, deduplication: { substrings: {} } },
    });
    const rows = await rowsOf();
    expect(Object.keys(rows)).toHaveLength(3);
    expect(rows["exact.md"].reason).toBe("trained-before: content");
    expect(rows["near.md"].reason).toBe("trained-before: minhash");
    expect(rows["near.md"].cluster_reason).toMatch(/was chosen instead: it was trained on before$/);
    expect(rows["fresh.md"].kept).toBe(true);
    expect(rows["fresh.md"].text).not.toContain(quoted.slice(0, 200));
    await expect(build({ sources: [source("new")], against: [join(folder, "missing")] })).rejects.toThrow("no corpus");
  });
});

it("finds the settings of 20 × 13 as well as 14 × 8", async () => {
  writeFiles(join(folder, "text"), manyDocuments(60));
  const counts: number[] = [];
  for (const [bands, rows] of [
    [14, 8],
    [20, 13],
  ]) {
    const built = await build({ sources: [source("text")], settings: { ...settings, deduplication: { bands, rows } } });
    counts.push(built.kept);
    cpSync(join(folder, "store"), join(folder, `${bands}`), { recursive: true });
  }
  expect(counts[0]).toBe(counts[1]);
  expect(counts[0]).toBeLessThan(60);
});
