/** WARC and WET: what crawlers write. One document a page; what the site asked of machines comes with it. */
import { createReadStream, statSync } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { WARCParser, type WARCRecord } from "warcio";
import { z } from "zod";
import { messageOf, settingsObject } from "../../foundation/index.ts";
import { reservationIn, reservationInPage, robotsAddress } from "../licences/index.ts";
import { defineReader } from "./define.ts";
import { gzipMembers } from "./gzip-members.ts";
import { failed, listRecords } from "./records.ts";
import { commonShape, pathSetting } from "./source.ts";
import type { SourceEvent } from "./spool.ts";

const schema = settingsObject("warc source", { reader: z.literal("warc"), path: pathSetting, ...commonShape });

/** A file so damaged that reading had to begin anew so often is given up. */
const maximumRestarts = 1000;
const chunkBytes = 1 << 18;
/** The `meta` elements of a page stand near its start. */
const headBytes = 16384;

/** Reads WARC 1.0 and 1.1, compressed by record or not, and the plain text of WET files. */
export const warcReader = defineReader({
  schema,
  title: "crawled pages (WARC)",
  describe: "WARC and WET, plain or gzip by record: pages, plain text, and the robots.txt files among them",
  list: (source, context) =>
    listRecords(
      "warc",
      source,
      context,
      [".warc", ".warc.gz", ".wet", ".wet.gz"],
      ({ file }) => records(file, context.maximumFileBytes),
      "web",
    ),
});

async function* records(file: string, maximumBytes: number): AsyncGenerator<SourceEvent> {
  if (!file.endsWith(".gz")) {
    yield* plainRecords(file, maximumBytes);
    return;
  }
  // The HTTP and WARC headers come on top of the document.
  for (const member of gzipMembers(file, 2 * maximumBytes + headBytes)) {
    if ("content" in member) {
      yield* parsedRecords([member.content], maximumBytes, member.offset);
    } else if ("damage" in member) {
      yield failed("warc.damaged", `offset ${member.offset}: ${member.damage}`, "a whole record");
    } else {
      const rest = createReadStream(file, { start: member.offset, highWaterMark: chunkBytes });
      yield* parsedRecords(
        pipeline(rest, createGunzip({ chunkSize: chunkBytes }), () => {}),
        maximumBytes,
        member.offset,
      );
    }
  }
}

async function* parsedRecords(
  bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  maximumBytes: number,
  offset: number,
): AsyncGenerator<SourceEvent> {
  try {
    for await (const record of new WARCParser(thatEnds(bytes))) yield await eventOf(record, maximumBytes);
  } catch (error) {
    yield failed("warc.damaged", `offset ${offset}: ${messageOf(error)}`, "a whole record");
  }
}

/** So often a parser may ask for more after the end: it does so a few times for every part of a record. */
const mostAskedAfterEnd = 16;

/** The same bytes, for a parser that asks for more for ever where a record that it skips is cut off. */
function thatEnds(bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const chunks = Symbol.asyncIterator in bytes ? bytes[Symbol.asyncIterator]() : bytes[Symbol.iterator]();
      let asked = 0;
      return {
        async next() {
          const chunk = await chunks.next();
          if (chunk.done && ++asked > mostAskedAfterEnd) throw new Error("the file ends within the record");
          return chunk;
        },
      };
    },
  };
}

/** Records from the file's start; after damage, from the next line that begins a record. */
async function* plainRecords(file: string, maximumBytes: number): AsyncGenerator<SourceEvent> {
  let start: number | undefined = 0;
  for (let restarts = 0; start !== undefined && restarts < maximumRestarts; restarts++) {
    const input = createReadStream(file, { start, highWaterMark: chunkBytes });
    const parser: WARCParser = new WARCParser(thatEnds(input));
    try {
      for await (const record of parser) yield await eventOf(record, maximumBytes);
      return;
    } catch (error) {
      const offset: number = start + Math.max(0, Number(parser.offset) || 0);
      yield failed("warc.damaged", `offset ${offset}: ${messageOf(error)}`, "a whole record");
      start = await nextRecord(file, offset + 1);
    } finally {
      input.destroy();
    }
  }
}

/** The next offset at which a line begins a record. */
async function nextRecord(file: string, from: number): Promise<number | undefined> {
  if (from >= statSync(file).size) return undefined;
  let position = from;
  let tail = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { start: from, highWaterMark: chunkBytes })) {
    const bytes = Buffer.concat([tail, chunk as Buffer]);
    const found = bytes.indexOf("\r\nWARC/1.");
    if (found >= 0) return position - tail.length + found + 2;
    position += (chunk as Buffer).length;
    tail = bytes.subarray(Math.max(0, bytes.length - 16));
  }
  return undefined;
}

async function eventOf(record: WARCRecord, maximumBytes: number): Promise<SourceEvent> {
  const url = record.warcTargetURI ?? undefined;
  const { warcType } = record;
  if (!["response", "resource", "conversion"].includes(warcType)) return { skipped: `warc ${warcType} record` };
  const status = Number(record.httpHeaders?.statusCode ?? 200);
  if (status !== 200) return { skipped: `warc response with status ${status}` };
  const type = contentType(record);
  const format = /html/.test(type) ? "html" : /^text\/(plain|markdown|x-rst)/.test(type) ? "text" : undefined;
  if (format === undefined) return { skipped: `warc record of type ${/^[\w.+/-]{1,60}/.exec(type)?.[0] ?? "unknown"}` };
  const content = await contentOf(record, maximumBytes);
  if (typeof content === "number") return failed("size", content, `at most ${maximumBytes} bytes`);
  const robots = url === undefined ? undefined : robotsAddress(url);
  if (robots !== undefined) return { robots: { address: robots, text: content.toString("utf8") } };
  const reservation =
    reservationIn((name) => header(record, name)) ??
    (format === "html" ? reservationInPage(content.toString("latin1", 0, headBytes)) : undefined);
  return {
    content,
    format,
    kind: "web",
    ...(url === undefined ? {} : { url }),
    ...(reservation === undefined ? {} : { reservation }),
  };
}

/** The payload, or its length where that is above `maximumBytes`: no more is held then. */
async function contentOf(record: WARCRecord, maximumBytes: number): Promise<Buffer | number> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of record) {
    length += chunk.byteLength;
    if (length <= maximumBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length > maximumBytes ? length : Buffer.concat(chunks);
}

/** In lower case: of the HTTP response, else of the record. */
function contentType(record: WARCRecord): string {
  const type = record.warcType === "response" ? header(record, "content-type") : record.warcContentType;
  return (type ?? "").trim().toLowerCase();
}

function header(record: WARCRecord, name: string): string | undefined {
  return record.httpHeaders?.headers.get(name) ?? undefined;
}
