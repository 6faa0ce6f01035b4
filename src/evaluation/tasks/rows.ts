/** Rows of a task's data file: JSON lines, CSV, or Parquet through DuckDB. */
import { existsSync, readFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { parse } from "csv-parse/sync";
import { messageOf, TilthError } from "../../foundation/index.ts";

/** All rows as plain objects. Throws TilthError for a missing file, and with the line for one that is no JSON. */
export async function readRows(file: string): Promise<unknown[]> {
  if (!existsSync(file))
    throw new TilthError(`there is no file ${file}`, { remedy: "Give the task's JSONL or Parquet file." });
  const rows = file.endsWith(".parquet")
    ? await parquetRows(file)
    : file.endsWith(".csv")
      ? csvRows(file)
      : jsonLines(file);
  if (rows.length === 0)
    throw new TilthError(`${file} is empty`, { remedy: "Give a file with at least one question." });
  return rows;
}

function csvRows(file: string): unknown[] {
  try {
    return parse(readFileSync(file, "utf8"), { columns: true, bom: true, skip_empty_lines: true });
  } catch (cause) {
    throw new TilthError(`${file} cannot be read as CSV: ${messageOf(cause)}`, { cause });
  }
}

function jsonLines(file: string): unknown[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (line.trim() === "") return [];
      try {
        return [JSON.parse(line) as unknown];
      } catch (cause) {
        throw new TilthError(`${file}, line ${index + 1} is no JSON: ${messageOf(cause)}`, {
          remedy: "Give one JSON object a line, or a .parquet file.",
          cause,
        });
      }
    });
}

async function parquetRows(file: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll("SELECT to_json(t)::VARCHAR FROM read_parquet(?) t", [file]);
    return reader.getRows().map(([json]) => JSON.parse(String(json)) as unknown);
  } catch (cause) {
    throw new TilthError(`${file} cannot be read as Parquet: ${messageOf(cause)}`, { cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
