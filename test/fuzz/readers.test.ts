/** Damaged files of every format: each is recorded, none ends the listing. TILTH_FUZZ_FILES=10000 for all of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeText, extractHtml } from "../../src/corpus/normalise/index.ts";
import { readDocument } from "../../src/corpus/process.ts";
import { type CorpusSourceInput, corpusSource, listSources } from "../../src/corpus/readers/index.ts";
import { Random, TilthError } from "../../src/foundation/index.ts";
import { jsonLines, tarOf, warcOf, writeParquet, zstdFrame } from "../corpus/formats.ts";

const filesOfEachFormat = Number(process.env.TILTH_FUZZ_FILES ?? 40);
const seed = Number(process.env.TILTH_FUZZ_SEED ?? 1);

let root: string;
const whole = new Map<string, Buffer>();
const formats = [
  "a.jsonl",
  "a.jsonl.gz",
  "a.jsonl.zst",
  "a.csv",
  "a.parquet",
  "a.warc",
  "a.warc.gz",
  "a.tar",
  "a.html",
  "a.txt",
];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "tilth-fuzz-"));
  const rows = Array.from({ length: 30 }, (_, n) => ({
    text: `Document ${n}: ${"soil and water ".repeat(n)}`,
    url: `https://a.example/${n}`,
    license: "MIT",
  }));
  const page = `<html><head><title>T</title></head><body><nav>x</nav>${rows.map(({ text }) => `<p>${text}</p>`).join("")}</body></html>`;
  const pages = rows.slice(0, 8).map(({ url }) => ({ url, body: page }));
  await writeParquet(join(root, "whole.parquet"), rows);
  whole.set("a.jsonl", Buffer.from(jsonLines(rows)));
  whole.set("a.jsonl.gz", gzipSync(jsonLines(rows)));
  whole.set("a.jsonl.zst", zstdFrame(Buffer.from(jsonLines(rows))));
  whole.set("a.csv", Buffer.from(`text,url,license\n${rows.map((one) => `"${one.text}",${one.url},MIT`).join("\n")}`));
  whole.set("a.parquet", readFileSync(join(root, "whole.parquet")));
  whole.set("a.warc", await warcOf(pages, false));
  whole.set("a.warc.gz", await warcOf(pages, true));
  whole.set(
    "a.tar",
    await tarOf(
      Object.fromEntries(
        rows.flatMap(({ text }, n) => [
          [`${n}.jpg`, "jpg"],
          [`${n}.txt`, text],
        ]),
      ),
    ),
  );
  whole.set("a.html", Buffer.from(page));
  whole.set("a.txt", Buffer.from(rows.map(({ text }) => text).join("\n")));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy with bytes changed, a piece cut out, doubled or replaced by noise, or the end missing. */
function damaged(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  const at = random.below(copy.length);
  const length = 1 + random.below(Math.min(400, copy.length - at));
  switch (random.below(5)) {
    case 0:
      for (let count = 1 + random.below(20); count > 0; count--) copy[random.below(copy.length)] = random.below(256);
      return copy;
    case 1:
      return copy.subarray(0, at);
    case 2:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)]);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at, at + length), copy.subarray(at)]);
    default:
      for (let offset = at; offset < at + length; offset++) copy[offset] = random.below(256);
      return copy;
  }
}

function sourceOf(name: string, path: string): CorpusSourceInput {
  if (name.includes(".jsonl")) return { reader: "jsonl", path };
  if (name.endsWith(".csv")) return { reader: "csv", path };
  if (name.endsWith(".parquet")) return { reader: "parquet", path };
  if (name.includes(".warc")) return { reader: "warc", path };
  if (name.endsWith(".tar")) return { reader: "images", path };
  return { reader: "folder", path };
}

describe("damaged files", () => {
  it.each(formats)(
    "%s: every one is listed to its end, and every document is read or rejected",
    async (name) => {
      for (let number = 0; number < filesOfEachFormat; number++) {
        const random = new Random(seed, formats.indexOf(name), number);
        const folder = join(root, `case-${number}`);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, name), damaged(whole.get(name)!, random));
        try {
          const { items } = await listSources([corpusSource.parse(sourceOf(name, folder))], {
            includeData: false,
            baseFolder: root,
            spoolFolder: join(folder, "spool"),
            maximumFileBytes: 1_000_000,
          });
          for (const item of items) {
            const content = readDocument(item, 1_000_000);
            if ("bytes" in content) {
              const text = item.format === "html" ? extractHtml(content.bytes) : decodeText(content.bytes);
              expect("text" in text || text.rejection.rule !== "").toBe(true);
            } else {
              expect(content.rejection.rule).not.toBe("");
            }
          }
        } catch (error) {
          // A file without a single record left is "no text found": an error for people, not a crash.
          expect(error, `seed ${seed}, file ${number}`).toBeInstanceOf(TilthError);
        }
        rmSync(folder, { recursive: true, force: true });
      }
    },
    24 * 3600 * 1000,
  );
});

describe("memory", () => {
  const megabytes = Number(process.env.TILTH_FUZZ_MEGABYTES ?? 0);
  it.skipIf(megabytes === 0)(
    "stays flat while a large gzip of JSON lines is read (TILTH_FUZZ_MEGABYTES=200)",
    async () => {
      const { createGzip } = await import("node:zlib");
      const { createWriteStream } = await import("node:fs");
      const { pipeline } = await import("node:stream/promises");
      const random = new Random(seed);
      const file = join(root, "large.jsonl.gz");
      async function* lines() {
        for (let written = 0; written < megabytes * 1e6; ) {
          const text = Array.from({ length: 600 }, () => `w${random.below(50_000)}`).join(" ");
          const line = `${JSON.stringify({ text })}\n`;
          written += line.length;
          yield line;
        }
      }
      await pipeline(lines, createGzip({ level: 1 }), createWriteStream(file));
      globalThis.gc?.();
      const before = process.memoryUsage().rss;
      let peak = 0;
      const timer = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 20);
      const { items } = await listSources([corpusSource.parse({ reader: "jsonl", path: file })], {
        includeData: false,
        baseFolder: root,
        spoolFolder: join(root, "large-spool"),
        maximumFileBytes: 1_000_000,
      });
      clearInterval(timer);
      console.log(
        `${megabytes} MB, ${items.length} records: ${((peak - before) / 1e6).toFixed(0)} MB above ${(before / 1e6).toFixed(0)} MB`,
      );
      expect(peak - before).toBeLessThan(250e6);
    },
    600_000,
  );
});
