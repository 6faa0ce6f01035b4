/** Comma- and tab-separated values with a header line: one document a row. */
import { pipeline } from "node:stream";
import { parse } from "csv-parse";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { defineReader } from "./define.ts";
import { failed, listRecords, recordFrom, recordShape } from "./records.ts";
import type { FailedRecord, SourceRecord } from "./spool.ts";
import { compressions, openBytes } from "./streams.ts";

const schema = settingsObject("csv source", {
  reader: z.literal("csv"),
  ...recordShape,
  delimiter: z
    .string()
    .length(1)
    .optional()
    .describe("what separates values; a tab in .tsv files and a comma in others if left out"),
});
type CsvSource = z.output<typeof schema>;

const extensions = [".csv", ".tsv"].flatMap((extension) => compressions.map((one) => extension + one));

/** Reads CSV and TSV; the first row names the fields. */
export const csvReader = defineReader({
  schema,
  title: "CSV or TSV files",
  describe: "CSV and TSV with a header line, plain, gzip or zstd; fields are mapped by `fields`",
  list: (source, context) =>
    listRecords("csv", source, context, extensions, ({ file }) => records(file, source, context.maximumFileBytes)),
});

async function* records(
  file: string,
  source: CsvSource,
  maximumRowBytes: number,
): AsyncGenerator<SourceRecord | FailedRecord> {
  const parser = parse({
    bom: true,
    columns: true,
    delimiter: source.delimiter ?? (/\.tsv(\.|$)/i.test(file) ? "\t" : ","),
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    // An opening quote that never closes would otherwise gather the rest of the file.
    max_record_size: maximumRowBytes,
  });
  const rows = pipeline(openBytes(file), parser, () => {}) as AsyncIterable<unknown>;
  for await (const row of rows) {
    if (row === null || typeof row !== "object") yield failed("csv.row", String(row), "a row with the header's fields");
    else yield recordFrom("csv", row as Record<string, unknown>, source);
  }
}
