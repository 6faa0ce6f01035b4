/** What keeps queries from changing anything: DuckDB opens no file but the store's, and runs nothing but a SELECT. */
import { type DuckDBConnection, type DuckDBPreparedStatement, StatementType } from "@duckdb/node-api";
import { UsageError } from "../../foundation/index.ts";
import { sqlString } from "./write.ts";

/** From here on the instance reads `file` and no other, loads no extension, and its settings stay as they are. */
export async function lock(connection: DuckDBConnection, file: string): Promise<void> {
  await connection.run(`SET allowed_paths = [${sqlString(file)}, ${sqlString(escapeGlob(file))}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

/** DuckDB reads `*`, `?` and `[` in a file name as patterns; in brackets they stand for themselves. */
export function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, "[$&]");
}

/** The one statement in `sql`. Throws UsageError where it is not one, or does anything but read. */
export async function onlySelect(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  if (sql.trim() === "") throw new UsageError("the query is empty", { remedy: "Try: DESCRIBE documents" });
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    throw new UsageError(`a query is one statement; this has ${statements.count}`, {
      remedy: "Run them one after the other.",
    });
  }
  const prepared = await statements.prepare(0);
  // EXPLAIN is refused too: EXPLAIN ANALYZE runs what it explains.
  if (prepared.statementType === StatementType.SELECT) return prepared;
  throw new UsageError(`queries only read; ${StatementType[prepared.statementType]} is refused`, {
    remedy: "Begin with SELECT, WITH, FROM, DESCRIBE, SHOW or SUMMARIZE.",
  });
}
