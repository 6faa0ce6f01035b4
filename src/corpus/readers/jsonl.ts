/** JSON lines: one document a line, plain or compressed. */
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { defineReader } from "./define.ts";
import { failed, listRecords, recordFrom, recordShape } from "./records.ts";
import type { FailedRecord, SourceRecord } from "./spool.ts";
import { compressions, linesOf, openBytes } from "./streams.ts";

const schema = settingsObject("jsonl source", { reader: z.literal("jsonl"), ...recordShape });
type JsonlSource = z.output<typeof schema>;

const extensions = [".jsonl", ".ndjson"].flatMap((extension) => compressions.map((one) => extension + one));
/** A line holds a document and its fields, escaped: so many times longer than the document it may be. */
const lineBytesPerDocumentByte = 8;

/** Reads JSON lines; a line that is no JSON object with text is recorded, and the next one read. */
export const jsonlReader = defineReader({
  schema,
  title: "JSON lines",
  describe: "JSON lines, plain, gzip or zstd; fields are mapped by `fields`",
  list: (source, context) =>
    listRecords("jsonl", source, context, extensions, ({ file }) =>
      records(file, source, context.maximumFileBytes * lineBytesPerDocumentByte),
    ),
});

async function* records(
  file: string,
  source: JsonlSource,
  maximumLineBytes: number,
): AsyncGenerator<SourceRecord | FailedRecord> {
  for await (const line of linesOf(openBytes(file), maximumLineBytes)) {
    if ("tooLong" in line) yield failed("jsonl.lineBytes", line.tooLong, `at most ${maximumLineBytes}`);
    else if (!isBlank(line.bytes)) yield parsed(line.bytes, source);
  }
}

function parsed(line: Buffer, source: JsonlSource): SourceRecord | FailedRecord {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (error) {
    return failed("jsonl.syntax", (error as Error).message, "a JSON object");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return failed("jsonl.object", JSON.stringify(value), "a JSON object");
  }
  return recordFrom("jsonl", value as Record<string, unknown>, source);
}

function isBlank(line: Buffer): boolean {
  return line.length === 0 || (line.length < 8 && line.toString("latin1").trim() === "");
}
