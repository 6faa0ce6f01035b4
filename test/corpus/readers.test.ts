import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CorpusSourceInput, corpusSource, kindOfFile, listSources } from "../../src/corpus/readers/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tilth-readers-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const listAll = (sources: CorpusSourceInput[], includeData = false) =>
  listSources(
    sources.map((source) => corpusSource.parse(source)),
    { includeData, baseFolder: root, spoolFolder: join(root, ".spool"), maximumFileBytes: 1_000_000 },
  );
const list = (source: CorpusSourceInput, includeData = false) => listAll([source], includeData);
const mit =
  "Permission is hereby granted, free of charge, to any person obtaining a copy\nThe above copyright notice and this permission notice";

describe("kindOfFile", () => {
  it.each([
    ["README.md", "prose"],
    ["README", "prose"],
    ["LICENSE-MIT", "prose"],
    ["LICENCE", "prose"],
    ["CHANGELOG", "prose"],
    ["notes.RST", "prose"],
    ["index.d.ts", "declarations"],
    ["index.d.mts", "declarations"],
    ["index.ts", "code"],
    ["license.js", "code"],
    ["a.min.js", "code"],
    ["x.cpp", "code"],
    ["package.json", "data"],
    ["page.html", "data"],
    ["image.png", undefined],
    ["index.js.map", undefined],
    ["Makefile", undefined],
    [".gitignore", undefined],
  ])("%s → %s", (name, kind) => {
    expect(kindOfFile(name)).toBe(kind);
  });
});

describe("folder reader", () => {
  it("lists sorted, without hidden folders, node_modules and links, and counts what it passes over", async () => {
    write({
      "notes/b.md": "b",
      "notes/a/c.txt": "c",
      "notes/.git/x.md": "x",
      "notes/node_modules/p/README.md": "p",
      "notes/t.json": "{}",
      "notes/i.png": "",
    });
    symlinkSync(join(root, "notes"), join(root, "notes/loop"));
    symlinkSync(join(root, "notes/b.md"), join(root, "notes/link.md"));
    const { items, skipped } = await list({ reader: "folder", path: "notes" });
    expect(items.map(({ source, path, kind }) => [source, path, kind])).toEqual([
      ["folder:notes", "a/c.txt", "prose"],
      ["folder:notes", "b.md", "prose"],
    ]);
    expect(skipped).toEqual({ "data file": 1, "symbolic link": 2, "unknown file type": 1 });
    const { items: all } = await list({ reader: "folder", path: "notes" }, true);
    expect(all.map(({ path }) => path)).toContain("t.json");
  });

  it("takes the licence from the setting, else from a licence file, else asserts none", async () => {
    write({ "n/a.md": "a" });
    const licence = async (source: CorpusSourceInput) => (await list(source)).items[0].licence;
    expect((await licence({ reader: "folder", path: "n" })).expression).toBe("NOASSERTION");
    write({ "n/LICENSE": mit });
    expect(await licence({ reader: "folder", path: "n" })).toMatchObject({ expression: "MIT", confidence: 0.7 });
    expect(await licence({ reader: "folder", path: "n", licence: "CC0-1.0" })).toMatchObject({ expression: "CC0-1.0" });
  });

  it("refuses a missing folder, a file, a folder without text and two sources of one name", async () => {
    write({ "e/i.png": "", "a.md": "a", "x/n/a.md": "a", "y/n/a.md": "b" });
    await expect(list({ reader: "folder", path: "none" })).rejects.toThrow(/none does not exist/);
    await expect(list({ reader: "folder", path: "a.md" })).rejects.toThrow(/is not a folder/);
    await expect(list({ reader: "folder", path: "e" })).rejects.toThrow(
      /no text found in e \(passed over: 1 × unknown/,
    );
    const two: CorpusSourceInput[] = ["x/n", "y/n"].map((path) => ({ reader: "folder", path }));
    await expect(listAll(two)).rejects.toThrow(/two sources are called folder:n/);
    expect((await listAll([two[0], { ...two[1], name: "m" } as CorpusSourceInput])).items).toHaveLength(2);
  });
});

describe("npm reader", () => {
  it("lists scoped and nested packages once each, with their licences", async () => {
    const manifest = (name: string, version: string, more = {}) => JSON.stringify({ name, version, ...more });
    write({
      "node_modules/b/package.json": manifest("b", "1.0.0", { license: "MIT" }),
      "node_modules/b/LICENSE": mit,
      "node_modules/b/index.js": "1",
      "node_modules/b/node_modules/a/package.json": manifest("a", "2.0.0", { licenses: [{ type: "MIT" }, "ISC"] }),
      "node_modules/b/node_modules/a/index.js": "2",
      "node_modules/c/node_modules/a/package.json": manifest("a", "2.0.0"),
      "node_modules/c/node_modules/a/index.js": "2",
      "node_modules/c/package.json": "not json",
      "node_modules/c/index.js": "3",
      "node_modules/@s/d/package.json": manifest("@s/d", "1.2.3", { license: { type: "GPL-3.0-only" } }),
      "node_modules/@s/d/LICENSE": mit,
      "node_modules/@s/d/lib/x.d.ts": "4",
      "node_modules/.bin/tool.js": "5",
    });
    const { items, skipped } = await list({ reader: "npm", path: "node_modules" });
    const found = items.map(({ source, path, licence }) => [source, path, licence.expression, licence.confidence]);
    expect(found).toEqual([
      ["npm:@s/d@1.2.3", "LICENSE", "GPL-3.0-only", 0.3],
      ["npm:@s/d@1.2.3", "lib/x.d.ts", "GPL-3.0-only", 0.3],
      ["npm:a@2.0.0", "index.js", "MIT OR ISC", 0.8],
      ["npm:b@1.0.0", "LICENSE", "MIT", 0.95],
      ["npm:b@1.0.0", "index.js", "MIT", 0.95],
      ["npm:c", "index.js", "NOASSERTION", 0],
    ]);
    expect(skipped).toMatchObject({ "package installed twice": 1, "no usable package.json": 1 });
  });
});

describe("corpusSource", () => {
  it("names unknown keys and licences", () => {
    expect(() => corpusSource.parse({ reader: "folder", path: "n", license: "MIT" })).toThrow(
      /did you mean \\"licence/,
    );
    expect(() => corpusSource.parse({ reader: "folder", path: "n", licence: "my own" })).toThrow(/no SPDX licence/);
    expect(() => corpusSource.parse({ reader: "folders", path: "n" })).toThrow();
  });
});
