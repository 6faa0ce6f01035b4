/** The chain of an artefact as tables, for questions in SQL. */
import { existsSync } from "node:fs";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { messageOf, UsageError } from "../foundation/index.ts";
import type { LineageGraph } from "./graph.ts";

/** A document that a checkpoint saw. */
export interface SeenRow {
  readonly id: string;
  readonly firstStep: number;
  readonly passes: number;
}

/** What the tables are made of: `documents` is the Parquet file of the store that trained the checkpoint, if it is here. */
export interface LineageTables {
  readonly graph: LineageGraph;
  readonly documents?: string;
  readonly seen: readonly SeenRow[];
}

/** An open database; close it when done. */
export interface LineageDatabase {
  /** Rows of one SELECT. Throws UsageError where it cannot be answered. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  close(): void;
}

const definitions = {
  artefacts: "id VARCHAR, kind VARCHAR, name VARCHAR, path VARCHAR, present BOOLEAN, contents VARCHAR, made_by VARCHAR",
  activities: "id VARCHAR, command VARCHAR, tilth VARCHAR, details VARCHAR",
  uses: "activity VARCHAR, artefact VARCHAR, role VARCHAR",
  seen: "id VARCHAR, first_step INTEGER, passes INTEGER",
} as const;

/** Tables `artefacts`, `activities`, `uses`, `seen`, and the view `documents`. */
export async function openLineageDatabase({ graph, documents, seen }: LineageTables): Promise<LineageDatabase> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const rows: Record<keyof typeof definitions, readonly (string | number | boolean | null)[][]> = {
    artefacts: graph.artefacts.map(({ id, kind, name, path, present, contents, madeBy }) => [
      ...[id, kind, name, path, present, contents, madeBy ?? null],
    ]),
    activities: graph.activities.map(({ id, command, tilth, details }) => [
      id,
      command,
      tilth,
      JSON.stringify(details),
    ]),
    uses: graph.uses.map(({ activity, artefact, role }) => [activity, artefact, role]),
    seen: seen.map(({ id, firstStep, passes }) => [id, firstStep, passes]),
  };
  for (const [name, columns] of Object.entries(definitions)) {
    await connection.run(`CREATE TABLE ${name} (${columns})`);
    await fill(connection, name, rows[name as keyof typeof definitions]);
  }
  if (documents !== undefined && existsSync(documents)) {
    await connection.run(
      `CREATE VIEW documents AS SELECT * FROM read_parquet('${documents.replaceAll("'", "''").replace(/[*?[]/g, "[$&]")}')`,
    );
  }
  return {
    async query(sql) {
      try {
        const result = await connection.runAndReadAll(sql);
        return result.getRowObjectsJson().map((row) => ({ ...row }));
      } catch (cause) {
        throw new UsageError(`the query failed: ${messageOf(cause)}`, {
          remedy: `Tables: ${[...Object.keys(definitions), "documents"].join(", ")}; DESCRIBE <table> lists the columns.`,
          cause,
        });
      }
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function fill(
  connection: DuckDBConnection,
  table: string,
  rows: readonly (string | number | boolean | null)[][],
) {
  const appender = await connection.createAppender(table);
  for (const row of rows) {
    for (const value of row) {
      if (value === null) appender.appendNull();
      else if (typeof value === "number") appender.appendInteger(value);
      else if (typeof value === "boolean") appender.appendBoolean(value);
      else appender.appendVarchar(value);
    }
    appender.endRow();
  }
  appender.closeSync();
}
