import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDocument } from "../../src/corpus/process.ts";
import { type CorpusSourceInput, corpusSource, listSources, type WorkItem } from "../../src/corpus/readers/index.ts";
import { jsonLines, type Page, tarOf, warcOf, writeParquet, zstdFrame } from "./formats.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tilth-records-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string | Buffer) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const list = (source: CorpusSourceInput, maximumFileBytes = 100_000) =>
  listSources([corpusSource.parse(source)], {
    includeData: false,
    baseFolder: root,
    spoolFolder: join(root, "spool"),
    maximumFileBytes,
  });

function textOf(item: WorkItem): string {
  const content = readDocument(item, 100_000);
  return "bytes" in content ? Buffer.from(content.bytes).toString("utf8") : `rejected: ${content.rejection.rule}`;
}

const records = [
  { text: "One document.", url: "https://a.example/1", license: "MIT" },
  {
    text: "Zwei Dokumente, mit Umlaut: ä.",
    url: "https://b.example/2",
    license: "https://creativecommons.org/licenses/by/4.0/",
  },
  { text: "三つの文書。\n二行目。", url: "https://c.example/3", license: "for research purposes only" },
];
const expected = records.map(({ text }) => text);
const licences = ["MIT", "CC-BY-4.0", "LicenseRef-non-commercial"];

describe("record readers", () => {
  it("reads JSON lines, plain, gzip and zstd, alike", async () => {
    const lines = jsonLines(records);
    write("d/a.jsonl", lines);
    write("d/b.jsonl.gz", gzipSync(lines));
    write("d/c.ndjson.zst", zstdFrame(Buffer.from(lines)));
    const { items } = await list({ reader: "jsonl", path: "d" });
    expect(items.map(({ path }) => path)).toEqual(
      ["a.jsonl", "b.jsonl.gz", "c.ndjson.zst"].flatMap((file) => [0, 1, 2].map((number) => `${file}#${number}`)),
    );
    expect(items.map(textOf)).toEqual([...expected, ...expected, ...expected]);
    expect(items.slice(0, 3).map(({ licence }) => licence.expression)).toEqual(licences);
    expect(items[1].url).toBe("https://b.example/2");
    expect(items[0].source).toBe("jsonl:d");
  });

  it("reads CSV, TSV and Parquet like JSON lines", async () => {
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const table = (separator: string) =>
      [["text", "url", "license"], ...records.map((one) => [one.text, one.url, one.license])]
        .map((row) => row.map(quoted).join(separator))
        .join("\r\n");
    write("a.csv", `\ufeff${table(",")}`);
    write("b.tsv.gz", gzipSync(table("\t")));
    await writeParquet(join(root, "c.parquet"), records);
    for (const [reader, path] of [
      ["csv", "a.csv"],
      ["csv", "b.tsv.gz"],
      ["parquet", "c.parquet"],
    ] as const) {
      const { items } = await list({ reader, path });
      expect(items.map(textOf)).toEqual(expected);
      expect(items.map(({ licence }) => licence.expression)).toEqual(licences);
      expect(items.map(({ url }) => url)).toEqual(records.map(({ url }) => url));
    }
  });

  it("maps nested fields, kinds and the licence of the source", async () => {
    write(
      "m.jsonl",
      jsonLines([{ content: "x = 1", meta: { url: "https://a.example/" }, type: "code" }, { content: "Words." }]),
    );
    const { items } = await list({
      reader: "jsonl",
      path: "m.jsonl",
      licence: "CC0-1.0",
      fields: { text: "content", url: "meta.url", kind: "type" },
    });
    expect(items.map(({ kind, url, licence }) => [kind, url, licence.expression])).toEqual([
      ["code", "https://a.example/", "CC0-1.0"],
      ["prose", undefined, "CC0-1.0"],
    ]);
    expect(() => corpusSource.parse({ reader: "jsonl", path: "m", fields: { txt: "a" } })).toThrow(
      /did you mean \\"text/,
    );
  });

  it("records what is damaged and goes on", async () => {
    write(
      "a.jsonl",
      `{"text": "one"}\nnot json\n[1]\n{"body": "no text"}\n\n{"text": "${"long ".repeat(50_000)}"}\n{"text": "last"}`,
    );
    const { items } = await list({ reader: "jsonl", path: "a.jsonl" });
    expect(items.map(textOf)).toEqual([
      "one",
      "rejected: jsonl.syntax",
      "rejected: jsonl.object",
      "rejected: jsonl.text",
      "rejected: size",
      "last",
    ]);
    const whole = gzipSync(
      jsonLines(Array.from({ length: 5000 }, (_, n) => ({ text: `Document ${n} ${Math.sin(n)}` }))),
    );
    write("b.jsonl.gz", whole.subarray(0, whole.length >> 1));
    const half = (await list({ reader: "jsonl", path: "b.jsonl.gz" })).items;
    expect(half.length).toBeGreaterThan(1000);
    expect(half.at(-1)?.failure?.rule).toBe("jsonl.damaged");
    expect(textOf(half[7])).toBe(`Document 7 ${Math.sin(7)}`);
  });

  it("lists a hundred damaged records of a file, and counts the others", async () => {
    write("a.jsonl", `${"x\n".repeat(250)}{"text": "good"}\n`);
    const { items, skipped } = await list({ reader: "jsonl", path: "a.jsonl" });
    expect(items).toHaveLength(101);
    expect(items.at(-1)?.path).toBe("a.jsonl#250");
    expect(skipped).toEqual({ "further damaged record": 150 });
  });

  it("unpacks the same file once, and anew when it or the settings change", async () => {
    write("a.jsonl", jsonLines(records));
    await list({ reader: "jsonl", path: "a.jsonl" });
    await list({ reader: "jsonl", path: "a.jsonl" });
    expect(readdirSync(join(root, "spool"))).toHaveLength(1);
    await list({ reader: "jsonl", path: "a.jsonl", kind: "web" });
    expect(readdirSync(join(root, "spool"))).toHaveLength(2);
    write("a.jsonl", jsonLines(records.slice(1)));
    expect((await list({ reader: "jsonl", path: "a.jsonl" })).items.map(textOf)).toEqual(expected.slice(1));
  });

  it("names a missing file and a folder without such files", async () => {
    write("e/a.txt", "x");
    await expect(list({ reader: "jsonl", path: "none.jsonl" })).rejects.toThrow(/none.jsonl does not exist/);
    await expect(list({ reader: "parquet", path: "e" })).rejects.toThrow(/no file below .* ends in .parquet/);
  });
});

describe("warc reader", () => {
  const page = (text: string) => `<html><head><title>T</title></head><body><p>${text}</p></body></html>`;
  const pages: Page[] = [
    { url: "https://a.example/1", body: page("first") },
    {
      url: "https://a.example/robots.txt",
      body: "User-agent: GPTBot\nDisallow: /",
      headers: { "Content-Type": "text/plain" },
    },
    {
      url: "https://b.example/2",
      body: page("second"),
      headers: { "Content-Type": "text/html", "TDM-Reservation": "1" },
    },
    { url: "https://b.example/i.png", body: "png", headers: { "Content-Type": "image/png" } },
    { url: "https://b.example/gone", body: page("gone"), status: "HTTP/1.1 404 Not Found" },
    {
      url: "https://c.example/3",
      body: gzipSync(page("third")),
      headers: { "Content-Type": "text/html", "Content-Encoding": "gzip" },
    },
  ];

  it.each(["warcinfo", "request", "metadata"])("ends where a %s record is cut off, and says so", async (type) => {
    const record = `WARC/1.1\r\nWARC-Type: ${type}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n`;
    write("a.warc", Buffer.from(`${record}Content-Length: 16\r\n\r\nsoft`));
    const { items } = await list({ reader: "warc", path: "a.warc" });
    expect(items[0].failure).toMatchObject({ rule: "warc.damaged", value: expect.stringContaining("ends within") });
  });

  it.each([false, true])("reads pages, robots.txt and reservations (gzip: %s)", async (gzip) => {
    const name = gzip ? "a.warc.gz" : "a.warc";
    write(name, await warcOf(pages, gzip));
    const { items, skipped, robots } = await list({ reader: "warc", path: name });
    expect(items.map(({ url, kind, format, reservation }) => [url, kind, format, reservation])).toEqual([
      ["https://a.example/1", "web", "html", undefined],
      ["https://b.example/2", "web", "html", "tdm-reservation: 1"],
      ["https://c.example/3", "web", "html", undefined],
    ]);
    expect(items.map(textOf)).toEqual([page("first"), page("second"), page("third")]);
    expect([...robots]).toEqual([["a.example/robots.txt", "User-agent: GPTBot\nDisallow: /"]]);
    expect(skipped).toEqual({
      "warc record of type image/png": 1,
      "warc response with status 404": 1,
      "warc warcinfo record": 1,
    });
  });

  it("goes on after a damaged record", async () => {
    const bytes = await warcOf(
      Array.from({ length: 20 }, (_, n) => ({ url: `https://a.example/${n}`, body: page(`page ${n} ${Math.cos(n)}`) })),
      true,
    );
    for (let at = bytes.length >> 1; at < (bytes.length >> 1) + 40; at++) bytes[at] ^= 0x5a;
    write("a.warc.gz", bytes);
    const { items } = await list({ reader: "warc", path: "a.warc.gz" });
    expect(items.filter(({ failure }) => failure !== undefined).length).toBeGreaterThan(0);
    const read = items.filter(({ failure }) => failure === undefined).map(({ url }) => url);
    expect(read).toContain("https://a.example/0");
    expect(read).toContain("https://a.example/19");
    expect(read.length).toBeGreaterThanOrEqual(17);
  });
});

describe("images reader", () => {
  it("reads webdataset archives, lists of captions and folders of pairs", async () => {
    const image = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
    write(
      "w/a.tar",
      await tarOf({
        "s/1.jpg": image,
        "s/1.txt": "A red apple.",
        "s/2.png": image,
        "s/2.json": '{"caption": "Two pears.", "license": "CC0-1.0"}',
        "s/3.jpg": image,
      }),
    );
    const archive = await list({ reader: "images", path: "w" });
    expect(archive.items.map((item) => [textOf(item), item.image, item.licence.expression])).toEqual([
      ["A red apple.", "a.tar#s/1.jpg", "NOASSERTION"],
      ["Two pears.", "a.tar#s/2.png", "CC0-1.0"],
      ["rejected: images.caption", undefined, "NOASSERTION"],
    ]);
    write(
      "l/captions.jsonl",
      jsonLines([{ image: "images/1.png", caption: "beaming face" }, { image: "images/2.png" }]),
    );
    write("l/images/1.png", image);
    const lists = await list({ reader: "images", path: "l" });
    expect(lists.items.map((item) => [item.kind, textOf(item), item.image])).toEqual([
      ["caption", "beaming face", "images/1.png"],
      ["caption", "rejected: images.fields", undefined],
    ]);
    write("p/x/1.png", image);
    write("p/x/1.txt", "A tree.");
    write("p/x/2.png", image);
    const pairs = await list({ reader: "images", path: "p" });
    expect(pairs.items.map((item) => [item.path, textOf(item), item.image])).toEqual([
      ["x/1.txt", "A tree.", "x/1.png"],
    ]);
    expect(pairs.skipped).toEqual({ "image without a caption": 1 });
  });
});

describe("tree reader", () => {
  it("takes the licence of the repository, of a vendored folder and of the file itself", async () => {
    const mit =
      "Permission is hereby granted, free of charge, to any person obtaining a copy\nThe above copyright notice and this permission notice";
    write("repos/one/LICENSE", mit);
    write("repos/one/src/a.py", "print(1)\n");
    write("repos/one/src/b.c", "// SPDX-License-Identifier: GPL-2.0-only\nint main() {}\n");
    write("repos/one/vendor/lib/COPYING", "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007");
    write("repos/one/vendor/lib/c.c", "int x;\n");
    write("repos/one/docs/index.html", "<p>page</p>");
    write("repos/two/Cargo.toml", 'license = "MIT OR Apache-2.0"\n');
    write("repos/two/src/lib.rs", "fn f() {}\n");
    write(
      "repos/two/pep-0001.rst",
      `Text.\n${"x".repeat(9000)}\nThis document is placed in the public domain or under the\nCC0-1.0-Universal license, whichever is more permissive.\n`,
    );
    const { items } = await list({ reader: "tree", path: "repos" });
    expect(items.map(({ source, path, licence }) => [source, path, licence.expression])).toEqual([
      ["tree:repos/one", "LICENSE", "MIT"],
      ["tree:repos/one", "docs/index.html", "MIT"],
      ["tree:repos/one", "src/a.py", "MIT"],
      ["tree:repos/one", "src/b.c", "GPL-2.0-only"],
      ["tree:repos/one", "vendor/lib/COPYING", "GPL-3.0-only"],
      ["tree:repos/one", "vendor/lib/c.c", "GPL-3.0-only"],
      ["tree:repos/two", "pep-0001.rst", "CC0-1.0"],
      ["tree:repos/two", "src/lib.rs", "MIT OR Apache-2.0"],
    ]);
    expect(items[1]).toMatchObject({ kind: "web", format: "html" });
  });
});
