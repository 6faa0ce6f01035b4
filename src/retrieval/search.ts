/** The vectors nearest to another: exact cosine over a Parquet file, by DuckDB. */
import { DuckDBInstance } from "@duckdb/node-api";
import { fileView, lockReadOnly, onlySelect } from "../corpus/index.ts";
import { messageOf, TilthError, UsageError } from "../foundation/index.ts";
import { describeVectors, type VectorRow, type VectorsDescription } from "./vectors.ts";

/** A row and how near it is. */
export interface SearchHit extends Omit<VectorRow, "vector"> {
  /** Cosine of the angle between the two vectors: 1 for the same direction; −1 for a vector of zeros, which has none. */
  readonly score: number;
}

/** An open file of vectors; close it when done. */
export interface VectorIndex {
  readonly description: VectorsDescription;
  readonly rows: number;
  /**
   * The `top` nearest rows, nearest first, equals by id. `where` is an SQL condition over id, text, source, path and licence; it reads
   * nothing but this file. Throws UsageError where it is none.
   */
  nearest(vector: Float32Array, options: { readonly top: number; readonly where?: string }): Promise<SearchHit[]>;
  close(): void;
}

/** Opens a file that `writeVectors` wrote. Throws TilthError where it is missing or is none. */
export async function openVectors(file: string): Promise<VectorIndex> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const close = () => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    const description = await describeVectors(connection, file);
    const { width } = description;
    await connection.run(fileView("vectors", file));
    await lockReadOnly(connection, file);
    const counted = await connection.runAndReadAll("SELECT count(*)::INTEGER AS rows FROM vectors");
    return {
      description,
      rows: Number(counted.getRowObjectsJson()[0].rows),
      async nearest(vector, { top, where }) {
        if (vector.length !== width) throw new Error(`a query of ${vector.length} numbers for vectors of ${width}`);
        const query = `[${Array.from(vector).join()}]::FLOAT[${width}]`;
        try {
          const statement = await onlySelect(
            connection,
            `SELECT id, text, source, path, licence, array_cosine_similarity(vector::FLOAT[${width}], ${query}) AS score
             FROM (SELECT * FROM vectors${where === undefined ? "" : ` WHERE (${where}\n)`})
             ORDER BY score DESC, id LIMIT ${top}`,
          );
          return (await statement.runAndReadAll()).getRowObjectsJson() as unknown as SearchHit[];
        } catch (cause) {
          if (where === undefined) throw new TilthError(`${file} cannot be read: ${messageOf(cause)}`, { cause });
          throw new UsageError(`the condition ${where} fails: ${messageOf(cause).split("\n")[0]}`, {
            remedy:
              "It is SQL over id, text, source, path and licence, such as: licence = 'MIT' AND source LIKE 'npm:%'",
            cause,
          });
        }
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
