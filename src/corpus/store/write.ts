/** Writing documents.parquet: rows stream through a DuckDB file, so that no corpus has to fit into memory. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DuckDBDataChunkWriter, DuckDBInstance } from "@duckdb/node-api";
import type { DocumentRow } from "../document.ts";
import { columns, rowValues } from "./columns.ts";
import { documentsName } from "./manifest.ts";

/** So much text waits in JavaScript before it goes to DuckDB. */
const bufferedBytes = 8_000_000;
/** DuckDB holds a row group in memory to write it; its default of 122,880 rows would be gigabytes of text. */
export const rowGroupRows = 2048;

/** DuckDB would take four fifths of the machine; beyond this it works from the disk. */
const memoryLimit = "256MB";

/** Writes all rows, in their order, to documents.parquet in `folder`. */
export async function writeDocuments(folder: string, rows: Iterable<DocumentRow> | AsyncIterable<DocumentRow>) {
  const database = join(folder, "building.duckdb");
  const instance = await DuckDBInstance.create(database, { memory_limit: memoryLimit });
  try {
    const connection = await instance.connect();
    try {
      await connection.run(`CREATE TABLE documents (${columns.map(([name, type]) => `${name} ${type}`).join(", ")})`);
      const appender = await connection.createAppender("documents");
      const writer = DuckDBDataChunkWriter.forAppender(appender);
      let buffered = 0;
      for await (const row of rows) {
        writer.appendRow(rowValues(row));
        buffered += row.bytes;
        if (buffered < bufferedBytes) continue;
        writer.flush();
        appender.flushSync();
        buffered = 0;
      }
      writer.flush();
      appender.closeSync();
      const target = sqlString(join(folder, documentsName));
      await connection.run(
        `COPY documents TO ${target} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupRows})`,
      );
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
    for (const name of [database, `${database}.wal`]) rmSync(name, { force: true });
  }
}

/** A string as an SQL literal. */
export function sqlString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
