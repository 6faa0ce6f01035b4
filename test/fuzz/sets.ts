/** One small, whole set of every format that the readers take; the tests damage copies of them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import type { CorpusSourceInput } from "../../src/corpus/readers/index.ts";
import { jsonLines, tarOf, warcOf, writeParquet, zstdFrame } from "../corpus/formats.ts";
import { prose } from "../support/corpora.ts";

/** A folder that one source reads. */
export interface FuzzSet {
  readonly name: string;
  readonly reader: CorpusSourceInput["reader"];
  /** What the folder holds, by path. */
  readonly files: Readonly<Record<string, Buffer>>;
}

const rows = Array.from({ length: 12 }, (_, n) => ({
  text: `Document ${n}: “naïve” 文書. ${prose(n % 7, n)}\n\n${prose(2, n, 1)}`,
  url: `https://a.example/${n}`,
  license: ["MIT", "CC-BY-4.0", "for research purposes only"][n % 3],
}));

const page = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Soil &amp; water</title><style>p{}</style>
<script>let a = "</p>";</script><meta name="tdm-reservation" content="0"></head><body><nav><ul><li><a href="/">x</a></ul></nav>
<article><h1>Soil</h1><!-- a comment -->${rows.map(({ text }) => `<p>${text} <b>bold <i>both</b></i></p>`).join("\n")}
<table><tr><th>a<th>b<tr><td>1<td>2</table><pre>  kept
    as it is</pre><svg><path d="M0 0"/></svg><ol><li>one<li>two</ol></article><footer>&copy; 2026 &nbsp; &#x41;</footer></body></html>`;

const markdown = `---\ntitle: Soil\nlicense: MIT\n---\n# Soil\n\n${rows
  .slice(0, 4)
  .map(
    ({ text }) => `## Part\n\n* ${text}\n\n> quoted [link](https://a.example)\n\n\`\`\`js\nlet x = { a: [1] };\n\`\`\``,
  )
  .join("\n\n")}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n`;

const code = `# SPDX-License-Identifier: MIT\n"""A module."""\nimport os\n\n\ndef area(width: float, height: float) -> float:\n    return width * height\n\n\nkey = "AKIAIOSFODNN7EXAMPLE"  # 10.0.0.1, a@b.example\n`;
const licence =
  "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software. The above copyright notice and this permission notice shall be included in all copies.\n";

/** All sets. */
export async function fuzzSets(): Promise<FuzzSet[]> {
  const pages = rows.slice(0, 3).map(({ url }) => ({ url, body: page }));
  const robots = { url: "https://a.example/robots.txt", body: "User-agent: *\nDisallow: /7\n" };
  const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#4a2" } })
    .png()
    .toBuffer();
  const captions = jsonLines(rows.map(({ text, license }, n) => ({ image: `${n}.png`, caption: text, license })));
  const lines = jsonLines(rows);
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const table = (separator: string) =>
    [["text", "url", "license"], ...rows.map((row) => [row.text, row.url, row.license])]
      .map((row) => row.map(quoted).join(separator))
      .join("\r\n");
  const one = (reader: FuzzSet["reader"], name: string, content: Buffer | string): FuzzSet => ({
    name,
    reader,
    files: { [`a${name}`]: Buffer.from(content) },
  });
  const sets: FuzzSet[] = [
    one("folder", ".txt", rows.map(({ text }) => text).join("\n")),
    one("folder", ".md", markdown),
    one("folder", ".html", page),
    one("jsonl", ".jsonl", lines),
    one("jsonl", ".jsonl.gz", gzipSync(lines)),
    one("jsonl", ".jsonl.zst", zstdFrame(Buffer.from(lines))),
    one("csv", ".csv", table(",")),
    one("csv", ".tsv.gz", gzipSync(table("\t"))),
    { name: ".parquet", reader: "parquet", files: await parquetFiles() },
    one("warc", ".warc", await warcOf([robots, ...pages], false)),
    one("warc", ".warc.gz", await warcOf([robots, ...pages], true)),
    {
      name: "source tree",
      reader: "tree",
      files: files({
        LICENSE: licence,
        "pyproject.toml": '[project]\nname = "soil"\nlicense = "MIT"\n',
        "src/area.py": code,
        "docs/index.html": page,
        "docs/README.rst": `Soil\n====\n\n${rows[7].text}\n`,
        "vendor/b/COPYING": licence,
        "vendor/b/b.c": "/* b */\nint b(void) { return 1; }\n".repeat(9),
      }),
    },
    {
      name: "npm packages",
      reader: "npm",
      files: files({
        "a/package.json": '{"name":"a","version":"1.0.0","license":"(MIT OR Apache-2.0)"}',
        "a/LICENSE": licence,
        "a/README.md": markdown,
        "a/index.js": `// a\n${"export const a = (b) => b + 1;\n".repeat(9)}`,
        "a/node_modules/b/package.json": '{"name":"b","version":"2.0.0","licenses":[{"type":"MIT"}]}',
        "a/node_modules/b/index.d.ts": "export declare const b: number;\n".repeat(9),
        "@c/d/package.json": '{"license":{"type":"ISC"}}',
        "@c/d/README": rows[8].text,
      }),
    },
    {
      name: "image folder",
      reader: "images",
      files: {
        ...files(Object.fromEntries(rows.slice(0, 5).map(({ text }, n) => [`${n}.txt`, text]))),
        ...Object.fromEntries(rows.slice(0, 5).map((_, n) => [`${n}.png`, image])),
      },
    },
    one("images", ".captions.jsonl", captions),
    one(
      "images",
      ".tar",
      await tarOf(
        Object.fromEntries(
          rows
            .slice(0, 12)
            .flatMap(({ text, license }, n) => [
              [`${n}.png`, image],
              n % 2 === 0 ? [`${n}.txt`, text] : [`${n}.json`, JSON.stringify({ caption: text, license })],
            ]),
        ),
      ),
    ),
  ];
  return sets;
}

function files(texts: Readonly<Record<string, string>>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
}

/** Uncompressed, damage is read as text; compressed, it seldom comes so far. */
async function parquetFiles(): Promise<Record<string, Buffer>> {
  const folder = mkdtempSync(join(tmpdir(), "tilth-fuzz-parquet-"));
  try {
    const names = { "a.parquet": "snappy", "b.parquet": "uncompressed" };
    for (const [name, compression] of Object.entries(names)) await writeParquet(join(folder, name), rows, compression);
    return Object.fromEntries(Object.keys(names).map((name) => [name, readFileSync(join(folder, name))]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
