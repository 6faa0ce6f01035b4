/** Writing documents.parquet: rows stream through a DuckDB file, so that no corpus has to fit into memory. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DuckDBDataChunk, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { collectGarbage, garbageBelow, returnFreedMemory } from "../../foundation/index.ts";
import type { DocumentRow } from "../document.ts";
import { columns, rowValues } from "./columns.ts";
import { documentsName } from "./manifest.ts";

/** So much text waits in JavaScript before it goes to DuckDB. */
const bufferedBytes = 8_000_000;
/** Rows leave garbage many times their size behind them: so much of it, and no more, beside what DuckDB takes. */
const garbageBytes = 64_000_000;
/** DuckDB's allocator gives memory back once so much is free; its own default is many times that. */
const allocatorFlushes = { allocator_flush_threshold: "16MB", allocator_bulk_deallocation_flush_threshold: "16MB" };
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
  // One thread: several hold a row group each, and where their row groups end depends on how many there are.
  const instance = await DuckDBInstance.create(":memory:", {
    threads: "1",
    ...allocatorFlushes,
    ...(memoryLimit === undefined ? {} : { memory_limit: memoryLimit }),
  });
  try {
    const connection = await instance.connect();
    try {
      await connection.run(`ATTACH ${sqlString(database)} AS building (ROW_GROUP_SIZE ${rowGroupRows})`);
      const table = `CREATE TABLE building.documents (${columns.map(([name, type]) => `${name} ${type}`).join(", ")})`;
      await connection.run(table);
      const appender = await connection.createAppender("documents", "main", "building");
      // One chunk for all rows: the texts of a chunk are freed when it is reset, or whenever the collector finds it.
      const chunk = DuckDBDataChunk.create(columns.map((_, column) => appender.columnType(column)));
      let waiting: DuckDBValue[][] = [];
      let buffered = 0;
      const boundGarbage = garbageBelow(garbageBytes);
      const flush = () => {
        chunk.reset();
        chunk.setRows(waiting);
        appender.appendDataChunk(chunk);
        appender.flushSync();
        waiting = [];
        buffered = 0;
      };
      for await (const row of rows) {
        waiting.push(rowValues(row));
        buffered += row.bytes;
        if (buffered < bufferedBytes && waiting.length < rowGroupRows) continue;
        flush();
        boundGarbage();
        // Signals and timers get their turn.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (waiting.length > 0) flush();
      chunk.reset();
      appender.closeSync();
      collectGarbage();
      returnFreedMemory();
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
