/** Reading a document store: streams for training, single rows for people, SQL for everything else. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { hashFile, messageOf, TilthError, UsageError } from "../../foundation/index.ts";
import type { DocumentRow, Split } from "../document.ts";
import { rowFrom, type StreamedDocument, streamedDocument } from "./columns.ts";
import { type CorpusManifest, readManifest, rebuildRemedy } from "./manifest.ts";
import { escapeGlob, lock, onlySelect } from "./read-only.ts";
import { sqlString } from "./write.ts";

/** A parameter of a query. */
export type QueryParameter = string | number | boolean | bigint | null;

/** Which documents, and an SQL expression over their columns whose value comes with each as `group`. */
export interface DocumentChoice {
  readonly split?: Split;
  readonly kept?: boolean;
  readonly groupBy?: string;
}

/** An open document store. Close it when done; streams that are under way end with an error then. */
export interface DocumentStore {
  /** What the store is: counts, settings, key. */
  readonly manifest: CorpusManifest;
  /**
   * Documents in the store's order (source, then path), read as a stream. Without a choice all rows come, rejected
   * ones too; `{ kept: true, split: "train" }` is the training set.
   */
  documents(choice?: DocumentChoice): AsyncIterable<StreamedDocument>;
  /** The one row whose id starts with `idPrefix`; throws TilthError for none and for several. */
  row(idPrefix: string): Promise<DocumentRow>;
  /** All rows of a near-duplicate cluster, the kept one first. */
  rowsOfCluster(cluster: string): Promise<DocumentRow[]>;
  /** One SELECT over the view `documents`, which reads no other file and changes nothing; integers come as numbers where they are exact, else as bigint. */
  query(sql: string, parameters?: readonly QueryParameter[]): Promise<Record<string, unknown>[]>;
  close(): void;
}

/** Above this, opening does not hash the file unless it is asked to: reading it would take more than seconds. */
const alwaysVerifiedBytes = 1_000_000_000;

/**
 * Opens the store in `folder`. Throws TilthError where it is missing or damaged. The SHA-256 of the rows is compared
 * with the manifest's for stores below 1 GB; `verify` decides otherwise.
 */
export async function openDocumentStore(folder: string, options: { verify?: boolean } = {}): Promise<DocumentStore> {
  const manifest = readManifest(folder);
  const file = join(folder, manifest.file.name);
  if (!existsSync(file)) {
    throw new TilthError(`${file} is missing; the corpus in ${folder} is not whole`, { remedy: rebuildRemedy });
  }
  const size = statSync(file).size;
  const damaged =
    size !== manifest.file.bytes ||
    ((options.verify ?? size < alwaysVerifiedBytes) && (await hashFile(file)) !== manifest.file.sha256);
  if (damaged) {
    throw new TilthError(`${file} is damaged: it is not the file that corpus.json describes`, {
      remedy: rebuildRemedy,
    });
  }
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run(fileView("documents", file));
    await lock(connection, file);
  } catch (error) {
    connection.closeSync();
    instance.closeSync();
    throw new TilthError(`${file} cannot be read: ${messageOf(error)}`, { remedy: rebuildRemedy, cause: error });
  }
  return storeOf(manifest, file, instance, connection);
}

function storeOf(
  manifest: CorpusManifest,
  file: string,
  instance: DuckDBInstance,
  connection: DuckDBConnection,
): DocumentStore {
  const rows = async (condition: string, parameter: string): Promise<DocumentRow[]> => {
    const result = await connection.run(`SELECT * FROM documents WHERE ${condition}`, [parameter]);
    return (await result.getRowObjectsJS()).map(rowFrom);
  };
  return {
    manifest,
    documents: (choice = {}) => streamDocuments(instance, file, choice),

    async row(idPrefix) {
      if (idPrefix === "") throw new UsageError("the id of the document is empty; expected some of its first digits");
      const [first, second] = await rows("starts_with(id, $1) ORDER BY id LIMIT 2", idPrefix.toLowerCase());
      if (first === undefined) {
        throw new TilthError(`no document has an id that starts with "${idPrefix}"`, {
          remedy: "Ids are in the report and in the view: SELECT id, source, path FROM documents.",
        });
      }
      if (second !== undefined) {
        throw new TilthError(
          `several documents have ids that start with "${idPrefix}", among them ${first.id} and ${second.id}`,
          { remedy: "Give more digits." },
        );
      }
      return first;
    },

    rowsOfCluster: (cluster) => rows("cluster = $1 ORDER BY id <> cluster, kept DESC, source, path", cluster),

    async query(sql, parameters = []) {
      try {
        const prepared = await onlySelect(connection, sql);
        prepared.bind(parameters as DuckDBValue[]);
        return (await (await prepared.run()).getRowObjectsJS()).map(
          (row) => exactNumbers(row) as Record<string, unknown>,
        );
      } catch (error) {
        if (error instanceof UsageError) throw error;
        if (/disabled by configuration|disabled through configuration/.test(messageOf(error))) {
          throw new UsageError(`a query opens no file but the store's: ${messageOf(error)}`, {
            remedy: "Print with --json and work on that, or open documents.parquet with DuckDB itself.",
          });
        }
        throw new TilthError(`the query failed: ${messageOf(error)}`, {
          remedy: "The view is called documents; DESCRIBE documents lists its columns.",
          cause: error,
        });
      }
    },

    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function* streamDocuments(
  instance: DuckDBInstance,
  file: string,
  choice: DocumentChoice,
): AsyncGenerator<StreamedDocument> {
  // A connection of its own: a connection has one streaming result at a time.
  const connection = await instance.connect();
  try {
    const conditions: string[] = [];
    const parameters: DuckDBValue[] = [];
    for (const [column, value] of Object.entries({ split: choice.split, kept: choice.kept })) {
      if (value === undefined) continue;
      parameters.push(value);
      conditions.push(`${column} = $${parameters.length}`);
    }
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    const result = await connection.stream(
      `SELECT id, text, source, path, kind, bytes${choice.groupBy === undefined ? "" : `, (${choice.groupBy}) AS "group"`} FROM documents${where}`,
      parameters,
    );
    for await (const chunk of result.yieldRowObjectJs()) {
      for (const row of chunk) yield streamedDocument.parse(row);
    }
  } catch (error) {
    throw new TilthError(`${file} cannot be read to its end: ${messageOf(error)}`, {
      remedy: rebuildRemedy,
      cause: error,
    });
  } finally {
    connection.closeSync();
  }
}

/** The statement that makes a view of a file of rows. */
export function fileView(name: string, file: string): string {
  return `CREATE VIEW ${name} AS SELECT * FROM read_parquet(${sqlString(escapeGlob(file))})`;
}

/** Replaces bigint by number wherever that is exact, also inside lists and structs. */
function exactNumbers(value: unknown): unknown {
  if (typeof value === "bigint") {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }
  if (Array.isArray(value)) return value.map(exactNumbers);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exactNumbers(item)]));
  }
  return value;
}
