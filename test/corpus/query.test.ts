import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCorpus, type DocumentStore, openDocumentStore } from "../../src/corpus/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-query-"));
let store: DocumentStore;
let before: Record<string, Buffer>;
const files = () =>
  Object.fromEntries(readdirSync(join(root, "corpus")).map((name) => [name, readFileSync(join(root, "corpus", name))]));

beforeAll(async () => {
  writeFiles(join(root, "texts"), Object.fromEntries([1, 2, 3].map((i) => [`${i}.md`, prose(12, i)])));
  writeFileSync(join(root, "other.csv"), "secret\n42\n");
  await buildCorpus({
    sources: [{ reader: "folder", path: join(root, "texts") }],
    folder: join(root, "corpus"),
    workers: 0,
  });
  before = files();
  store = await openDocumentStore(join(root, "corpus"));
});
afterAll(() => {
  store.close();
  rmSync(root, { recursive: true, force: true });
});

describe("a query over the documents", () => {
  it.each([
    ["SELECT count(*) AS n FROM documents"],
    ["WITH d AS (SELECT * FROM documents) SELECT count(*) AS n FROM d"],
    ["FROM documents SELECT count(*) AS n"],
    ["VALUES (3)"],
  ])("reads: %s", async (sql) => {
    expect(Object.values((await store.query(sql))[0])).toEqual([3]);
  });

  it("describes and summarizes the view, and takes parameters", async () => {
    expect((await store.query("DESCRIBE documents")).map(({ column_name }) => column_name)).toContain("licence");
    expect(await store.query("SUMMARIZE documents")).not.toEqual([]);
    expect(await store.query("SELECT path FROM documents WHERE path = $1", ["2.md"])).toEqual([{ path: "2.md" }]);
  });

  const out = join(root, "out");
  const parquet = join(root, "corpus", "documents.parquet");
  it.each([
    ["COPY", `COPY (SELECT 1) TO '${parquet}' (FORMAT parquet)`],
    ["ATTACH", `ATTACH '${out}.duckdb' AS other`],
    ["EXTENSION|LOAD", "INSTALL httpfs"],
    ["EXTENSION|LOAD", "LOAD httpfs"],
    ["PRAGMA|SET", "PRAGMA memory_limit = '1GB'"],
    ["SET", "SET enable_external_access = true"],
    ["SET", "RESET lock_configuration"],
    ["CREATE", `CREATE TABLE copy AS SELECT * FROM documents`],
    ["DROP", "DROP VIEW documents"],
    ["EXPLAIN", `EXPLAIN ANALYZE COPY (SELECT 1) TO '${parquet}' (FORMAT parquet)`],
  ])("refuses %s: %s", async (kind, sql) => {
    await expect(store.query(sql)).rejects.toThrow(new RegExp(`queries only read; (${kind}) is refused`));
  });

  it.each([
    [`COPY documents TO '${out}.csv'`],
    [`EXPORT DATABASE '${out}'`],
    [`SELECT * FROM read_csv('${join(root, "other.csv")}')`],
    [`SELECT * FROM '${join(root, "other.csv")}'`],
    ["SELECT * FROM read_text('/etc/hostname')"],
    [`SELECT * FROM glob('${root}/*')`],
    [`SELECT * FROM sniff_csv('${join(root, "other.csv")}')`],
    ["SELECT * FROM read_parquet('https://example.org/a.parquet')"],
    [`SELECT * FROM query('COPY documents TO ''${out}.csv''')`],
  ])("opens no other file: %s", async (sql) => {
    await expect(store.query(sql)).rejects.toThrow(/opens no file but the store's|the query failed: .*single SELECT/);
  });

  it("is one statement", async () => {
    await expect(store.query("SELECT 1; DROP VIEW documents")).rejects.toThrow(/one statement; this has 2/);
    await expect(store.query("  ")).rejects.toThrow(/the query is empty/);
  });

  it("has changed nothing after all of these", async () => {
    expect(files()).toEqual(before);
    expect(readdirSync(root).sort()).toEqual(["corpus", "corpus-cache", "other.csv", "texts"]);
    expect(existsSync(`${out}.csv`)).toBe(false);
  });
});
