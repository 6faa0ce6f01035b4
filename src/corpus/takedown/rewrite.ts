/** The store without the texts of documents that were taken down: a new file first, then the manifest that names it. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { hashFile, hashOf, syncFile, temporaryNameFor, writeFileAtomically } from "../../foundation/index.ts";
import {
  isDocumentsFile,
  manifestName,
  openDocumentStore,
  readManifest,
  rowGroupRows,
  sqlString,
} from "../store/index.ts";
import { readTombstones } from "./tombstones.ts";

/**
 * Empties every row that has a tombstone. A crash at any instant leaves the old store or the new one; running it again
 * finishes the work. Returns the store's key.
 */
export async function rewriteStore(folder: string): Promise<string> {
  const manifest = readManifest(folder);
  const tombstones = readTombstones(folder);
  const name = `documents-${hashOf(manifest.key, ...tombstones.map(({ id }) => id)).slice(0, 12)}.parquet`;
  const store = await openDocumentStore(folder);
  const instance = await DuckDBInstance.create(":memory:");
  const temporary = temporaryNameFor(join(folder, name));
  try {
    const left = await store.query(
      `SELECT id FROM documents WHERE text <> '' AND id IN (${literals(tombstones.map(({ id }) => id))})`,
    );
    if (left.length === 0) return manifest.key;
    const connection = await instance.connect();
    await connection.run("CREATE TABLE gone (id VARCHAR, rejections VARCHAR)");
    const appender = await connection.createAppender("gone");
    for (const { id, reason } of tombstones) {
      appender.appendVarchar(id);
      appender.appendVarchar(JSON.stringify([{ stage: "taken-down", rule: "taken-down", value: reason }]));
      appender.endRow();
    }
    appender.closeSync();
    const old = join(folder, manifest.file.name);
    await connection.run(
      `CREATE VIEW documents AS SELECT * FROM read_parquet(${sqlString(old.replace(/[*?[]/g, "[$&]"))})`,
    );
    const isGone = "id IN (SELECT id FROM gone)";
    const emptied = Object.entries({
      text: "''",
      bytes: "0",
      pii: "'[]'",
      edits: "'[]'",
      rejections: "(SELECT any_value(gone.rejections) FROM gone WHERE gone.id = documents.id)",
      reason: "'taken-down: taken-down'",
      kept: "false",
      split: "NULL",
    }).map(([column, value]) => `CASE WHEN ${isGone} THEN ${value} ELSE ${column} END AS ${column}`);
    await connection.run(
      `COPY (SELECT * REPLACE (${emptied.join(", ")}) FROM documents) TO ${sqlString(temporary)}
       (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupRows})`,
    );
    connection.closeSync();
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    instance.closeSync();
    store.close();
  }
  syncFile(temporary, join(folder, name));
  const file = join(folder, name);
  const key = hashOf("taken down", manifest.key, ...tombstones.map(({ id }) => id));
  const described = { name, bytes: statSync(file).size, sha256: await hashFile(file) };
  const next = { ...manifest, key, file: described, counts: await countsOf(file) };
  writeFileAtomically(join(folder, manifestName), `${JSON.stringify(next, null, 2)}\n`);
  return key;
}

/** Removes row files that the manifest no longer names. */
export function removeOldRows(folder: string): void {
  const current = readManifest(folder).file.name;
  for (const name of readdirSync(folder)) {
    if (isDocumentsFile(name) && name !== current) rmSync(join(folder, name));
  }
}

function literals(ids: readonly string[]): string {
  return ids.length === 0 ? "NULL" : ids.map(sqlString).join(", ");
}

async function countsOf(file: string) {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const rows = async (sql: string) => (await connection.run(sql)).getRowObjectsJS();
    const from = `FROM read_parquet(${sqlString(file.replace(/[*?[]/g, "[$&]"))})`;
    const [total] = await rows(
      `SELECT count(*) AS documents, count(*) FILTER (kept) AS kept, coalesce(sum(bytes), 0) AS bytes,
              coalesce(sum(bytes) FILTER (kept), 0) AS kept_bytes ${from}`,
    );
    const reasons = await rows(
      `SELECT reason, count(*) AS documents ${from} WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason`,
    );
    return {
      documents: Number(total.documents),
      kept: Number(total.kept),
      rejectedByReason: Object.fromEntries(reasons.map(({ reason, documents }) => [String(reason), Number(documents)])),
      bytes: Number(total.bytes),
      keptBytes: Number(total.kept_bytes),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
