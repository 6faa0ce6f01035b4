/** Documents and pictures as vectors in one Parquet file, written as a stream: memory does not grow with their number. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { type DuckDBConnection, DuckDBDataChunk, DuckDBInstance, type DuckDBValue, listValue } from "@duckdb/node-api";
import { z } from "zod";
import { sqlString } from "../corpus/index.ts";
import { messageOf, parseSettings, syncFile, TilthError, temporaryNameFor } from "../foundation/index.ts";

/** One row: what a hit shows, and the vector. */
export interface VectorRow {
  readonly id: string;
  /** The text, or its beginning; a caption for a picture. */
  readonly text: string;
  readonly source: string;
  readonly path: string;
  /** SPDX expression, or null where none is known. */
  readonly licence: string | null;
  readonly vector: Float32Array;
}

/** Which model made the vectors and how: it travels in the file, so that no query comes from another. */
const vectorsDescription = z.strictObject({
  format: z.literal("tilth-vectors"),
  version: z.literal(1),
  /** Where the checkpoint lay. */
  checkpoint: z.string(),
  /** SHA-256 over its weights, configuration and tokenizer. */
  model: z.string(),
  /** What was embedded. */
  of: z.enum(["texts", "images"]),
  /** How hidden states became one vector; null for a model with towers of its own. */
  pooling: z.string().nullable(),
  /** Whether vectors have length 1. */
  normalized: z.boolean(),
  width: z.int().positive(),
});
export type VectorsDescription = z.infer<typeof vectorsDescription>;

const columns = {
  ...{ id: "VARCHAR", text: "VARCHAR", source: "VARCHAR", path: "VARCHAR", licence: "VARCHAR" },
  vector: "FLOAT[]",
} as const;

/** Rows that go to DuckDB together, and that a row group of the file holds. */
const [chunkRows, rowGroupRows] = [1024, 8192];

/** Writes all rows, in their order. The file appears whole or not at all. Throws TilthError where it cannot be written. */
export async function writeVectors(
  file: string,
  description: Omit<VectorsDescription, "format" | "version">,
  rows: AsyncIterable<VectorRow>,
): Promise<number> {
  mkdirSync(dirname(file), { recursive: true });
  const [temporary, database] = [temporaryNameFor(file), temporaryNameFor(`${file}.duckdb`)];
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "256MB" });
  let count = 0;
  try {
    const connection = await instance.connect();
    try {
      await connection.run(`ATTACH ${sqlString(database)} AS building`);
      const list = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
      await connection.run(`CREATE TABLE building.vectors (${list.join(", ")})`);
      count = await append(connection, rows, description.width);
      const metadata = JSON.stringify({ format: "tilth-vectors", version: 1, ...description });
      await connection.run(
        `COPY building.vectors TO ${sqlString(temporary)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupRows}, KV_METADATA {tilth: ${sqlString(metadata)}})`,
      );
    } finally {
      connection.closeSync();
    }
    syncFile(temporary, file);
  } catch (error) {
    if (error instanceof TilthError || (error as Error)?.name === "InterruptedError") throw error;
    throw new TilthError(`${file} cannot be written: ${messageOf(error)}`, { cause: error });
  } finally {
    instance.closeSync();
    for (const name of [temporary, database, `${database}.wal`]) rmSync(name, { force: true });
  }
  return count;
}

async function append(connection: DuckDBConnection, rows: AsyncIterable<VectorRow>, width: number): Promise<number> {
  const appender = await connection.createAppender("vectors", "main", "building");
  const chunk = DuckDBDataChunk.create(Object.keys(columns).map((_, column) => appender.columnType(column)));
  let waiting: DuckDBValue[][] = [];
  let count = 0;
  const flush = () => {
    if (waiting.length === 0) return;
    chunk.reset();
    chunk.setRows(waiting);
    appender.appendDataChunk(chunk);
    appender.flushSync();
    waiting = [];
  };
  for await (const { id, text, source, path, licence, vector } of rows) {
    if (vector.length !== width) throw new Error(`a vector of ${vector.length} numbers among vectors of ${width}`);
    waiting.push([id, text, source, path, licence, listValue(Array.from(vector))]);
    count += 1;
    if (waiting.length === chunkRows) flush();
  }
  flush();
  chunk.reset();
  appender.closeSync();
  return count;
}

/** What the file says of itself. Throws TilthError where it is missing, damaged, or not a file of vectors. */
export async function describeVectors(connection: DuckDBConnection, file: string): Promise<VectorsDescription> {
  const remedy = "Make it with: tilth embed <checkpoint> --corpus <folder> --out vectors.parquet";
  if (!existsSync(file)) throw new TilthError(`there is no file of vectors at ${file}`, { remedy });
  let stated: string | undefined;
  try {
    const result = await connection.runAndReadAll(
      `SELECT decode(value) AS value FROM parquet_kv_metadata(${sqlString(file)}) WHERE decode(key) = 'tilth'`,
    );
    stated = result.getRowObjectsJson()[0]?.value as string | undefined;
  } catch (cause) {
    throw new TilthError(`${file} cannot be read: ${messageOf(cause)}`, { remedy, cause });
  }
  if (stated === undefined) throw new TilthError(`${file} does not say which model made its vectors`, { remedy });
  return parseSettings(vectorsDescription, JSON.parse(stated), file);
}
