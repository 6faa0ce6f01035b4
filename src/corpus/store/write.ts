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

/**
 * Writes all rows, in their order, to documents.parquet in `folder`. Beyond `memoryLimit` DuckDB works from the disk;
 * it throws where a row group does not fit. Left out, it is four fifths of the machine.
 */
export async function writeDocuments(
  folder: string,
  rows: Iterable<DocumentRow> | AsyncIterable<DocumentRow>,
  memoryLimit?: `${number}MB`,
) {
  const database = join(folder, "building.duckdb");
  const instance = await DuckDBInstance.create(
    ":memory:",
    memoryLimit === undefined ? {} : { memory_limit: memoryLimit },
  );
  try {
    const connection = await instance.connect();
    try {
      await connection.run(`ATTACH ${sqlString(database)} AS building (ROW_GROUP_SIZE ${rowGroupRows})`);
      const table = `CREATE TABLE building.documents (${columns.map(([name, type]) => `${name} ${type}`).join(", ")})`;
      await connection.run(table);
      const appender = await connection.createAppender("documents", "main", "building");
      const writer = DuckDBDataChunkWriter.forAppender(appender);
      let buffered = 0;
      for await (const row of rows) {
        writer.appendRow(rowValues(row));
        buffered += row.bytes;
        if (buffered < bufferedBytes) continue;
        writer.flush();
        appender.flushSync();
        buffered = 0;
        // Chunks are freed by finalizers, which run between turns of the event loop alone.
        await new Promise((resolve) => setImmediate(resolve));
      }
      writer.flush();
      appender.closeSync();
      const target = sqlString(join(folder, documentsName));
      await connection.run(
        `COPY building.documents TO ${target} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupRows})`,
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
