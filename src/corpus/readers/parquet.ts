/** Parquet, by DuckDB: one document a row, a vector of rows at a time in memory. */
import { DuckDBInstance } from "@duckdb/node-api";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { defineReader } from "./define.ts";
import { failed, listRecords, recordFrom, recordShape } from "./records.ts";
import type { FailedRecord, SourceRecord } from "./spool.ts";

const schema = settingsObject("parquet source", { reader: z.literal("parquet"), ...recordShape });
type ParquetSource = z.output<typeof schema>;

/** Reads Parquet; of its columns only those that `fields` names. */
export const parquetReader = defineReader({
  schema,
  title: "Parquet files",
  describe: "Parquet; columns are mapped by `fields`",
  list: (source, context) => listRecords("parquet", source, context, [".parquet"], ({ file }) => records(file, source)),
});

async function* records(file: string, source: ParquetSource): AsyncGenerator<SourceRecord | FailedRecord> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "1GB" });
  try {
    const connection = await instance.connect();
    const quoted = `'${file.replaceAll("'", "''").replace(/[*?[]/g, "[$&]")}'`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet(${quoted})`);
    const columns = new Set(described.getRowObjectsJS().map((row) => String(row.column_name)));
    const wanted = Object.values(source.fields).filter((name): name is string => name !== undefined);
    const roots = [...new Set(wanted.map((name) => (columns.has(name) ? name : name.split(".")[0])))];
    const selected = roots.filter((name) => columns.has(name));
    if (selected.length === 0) {
      yield failed("parquet.columns", [...columns].join(", "), `a column "${source.fields.text}"`);
      return;
    }
    const names = selected.map((name) => `"${name.replaceAll('"', '""')}"`).join(", ");
    const result = await connection.stream(`SELECT ${names} FROM read_parquet(${quoted})`);
    for await (const rows of result.yieldRowObjectJs()) {
      for (const row of rows) yield recordFrom("parquet", row, source);
    }
  } finally {
    instance.closeSync();
  }
}
