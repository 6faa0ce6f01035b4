/**
 * Damaged files of every format: whatever is in them, the listing comes to its end, and every document has a row that says
 * what it is or why it is none. TILTH_FUZZ_FILES=10000 for so many of each format.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type PartitionSettings, processPartition, readDocument } from "../../src/corpus/process.ts";
import { corpusSource, listSources } from "../../src/corpus/readers/index.ts";
import { parseCorpusSettings } from "../../src/corpus/settings.ts";
import { buildTextLibrary, useTextKernels } from "../../src/corpus/text/index.ts";
import { Random, TilthError } from "../../src/foundation/index.ts";
import { type FuzzSet, fuzzSets } from "./sets.ts";

const filesOfEachFormat = Number(process.env.TILTH_FUZZ_FILES ?? 20);
const seed = Number(process.env.TILTH_FUZZ_SEED ?? 1);
const maximumFileBytes = 1_000_000;

const root = mkdtempSync(join(tmpdir(), "tilth-fuzz-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
useTextKernels(await buildTextLibrary());
const sets = await fuzzSets();
const settings: PartitionSettings = { ...parseCorpusSettings({}), classifiers: [], maximumFileBytes };

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

/** The set with one of its files damaged, in a new folder. */
function writeDamaged({ files }: FuzzSet, folder: string, random: Random): void {
  const paths = Object.keys(files);
  const chosen = paths[random.below(paths.length)];
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), path === chosen ? damaged(content, random) : content);
  }
}

/** Reads the folder as a build does; how many documents were read, and how many were recorded as unreadable. */
async function readAll(reader: FuzzSet["reader"], folder: string): Promise<{ texts: number; recorded: number }> {
  const { items, skipped } = await listSources([corpusSource.parse({ reader, path: folder })], {
    includeData: false,
    baseFolder: root,
    spoolFolder: join(root, "spool"),
    maximumFileBytes,
  });
  const contents = items.map((item) => readDocument(item, maximumFileBytes));
  const rows = processPartition(items, contents, settings);
  for (const { text, rejections } of rows) {
    expect(text !== "" || rejections.length > 0).toBe(true);
    // An error of our own while a document is processed would be such a row: damage must not lead to one.
    expect(rejections.filter(({ stage }) => stage === "failed")).toEqual([]);
  }
  const unread = rows.filter(({ text }) => text === "").length;
  return { texts: rows.length - unread, recorded: unread + (skipped["further damaged record"] ?? 0) };
}

describe("damaged files", () => {
  it.each(sets)(
    "$name: every file is read to its end, and what cannot be read is recorded",
    async (set) => {
      const outcome = { files: 0, texts: 0, recorded: 0, "without any text": 0 };
      let slowest = 0;
      for (let number = 0; number < filesOfEachFormat; number++) {
        const random = new Random(seed, sets.indexOf(set), number);
        const folder = join(root, `case-${number}`);
        writeDamaged(set, folder, random);
        const started = performance.now();
        try {
          const { texts, recorded } = await readAll(set.reader, folder);
          expect(texts + recorded, `seed ${seed}, file ${number}`).toBeGreaterThan(0);
          outcome.texts += texts;
          outcome.recorded += recorded;
        } catch (error) {
          // A source without a single record is an error for people, not a crash.
          expect(error, `seed ${seed}, file ${number}`).toBeInstanceOf(TilthError);
          expect((error as Error).message, `seed ${seed}, file ${number}`).toMatch(/no text found/);
          outcome["without any text"]++;
        }
        outcome.files++;
        slowest = Math.max(slowest, performance.now() - started);
        rmSync(folder, { recursive: true, force: true });
        rmSync(join(root, "spool"), { recursive: true, force: true });
      }
      const figures = Object.entries(outcome).map(([what, count]) => `${count} ${what}`);
      console.log(`${set.name}: ${figures.join(", ")}; the slowest took ${(slowest / 1000).toFixed(2)} s`);
      expect(outcome.files).toBe(filesOfEachFormat);
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
