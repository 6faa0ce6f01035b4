/** Evaluation sets: the texts that a training set must not hold, as configuration registers them. */
import { createReadStream, existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { DuckDBInstance } from "@duckdb/node-api";
import { z } from "zod";
import { hashFile, messageOf, settingsObject, TilthError } from "../../foundation/index.ts";
import { sqlString } from "../store/index.ts";

const shape = {
  name: z
    .string()
    .regex(/^[\w.-]+$/, { error: "the name of an evaluation set has letters, digits and . - _ only" })
    .describe("its name in reports"),
  path: z
    .string()
    .regex(/\.(jsonl|ndjson|parquet)$/i, { error: "an evaluation set is a .jsonl or .parquet file" })
    .describe("a JSONL or Parquet file, an item a line or row; relative to the configuration's folder"),
  fields: z.array(z.string().min(1)).min(1).describe("the fields with the item's texts: strings, or lists of strings"),
  topic: z
    .string()
    .min(1)
    .optional()
    .describe("the field with the item's topic; coverage finds topics itself if left out"),
  licence: z.string().min(1).default("NOASSERTION").describe("SPDX expression of the set itself"),
};

/** An evaluation set as configuration names it. */
export const evaluationSet = settingsObject("evaluation set", shape);

export type EvaluationSet = z.infer<typeof evaluationSet>;
export type EvaluationSetInput = z.input<typeof evaluationSet>;

/** One item of a set: its texts, none of which n-grams cross. */
export type EvaluationItem = readonly string[];

/** A set with its items and the SHA-256 of its file. */
export interface LoadedEvaluationSet extends EvaluationSet {
  readonly items: readonly EvaluationItem[];
  /** Each item's topic as the set has it, where `topic` names its field. */
  readonly topics?: readonly (string | null)[];
  readonly sha256: string;
}

/** Reads the sets. Throws TilthError for a missing file, a line that is no JSON object, a field that no item has. */
export async function loadEvaluationSets(
  sets: readonly EvaluationSet[],
  baseFolder: string,
): Promise<LoadedEvaluationSet[]> {
  const loaded: LoadedEvaluationSet[] = [];
  for (const set of sets) {
    if (loaded.some(({ name }) => name === set.name)) {
      throw new TilthError(`two evaluation sets are called "${set.name}"`, {
        remedy: "Give one of them another name.",
      });
    }
    const file = resolve(baseFolder, set.path);
    if (!existsSync(file)) {
      throw new TilthError(`the evaluation set "${set.name}" is missing: there is no file ${file}`, {
        remedy: "Correct its path, or take it out of the configuration.",
      });
    }
    const records = file.toLowerCase().endsWith(".parquet") ? await parquetRecords(file) : await jsonRecords(file);
    for (const field of [...set.fields, ...(set.topic === undefined ? [] : [set.topic])]) {
      if (records.length === 0 || records.some((record) => record[field] !== undefined)) continue;
      throw new TilthError(`the evaluation set "${set.name}" has no field "${field}" in any item`, {
        remedy: `Its fields are ${Object.keys(records[0]).join(", ")}.`,
      });
    }
    const items = records.map((record) => set.fields.flatMap((field) => textsOf(record[field])));
    const topics = set.topic === undefined ? undefined : records.map((record) => labelOf(record[set.topic!]));
    loaded.push({ ...set, items, ...(topics && { topics }), sha256: await hashFile(file) });
  }
  return loaded;
}

function labelOf(value: unknown): string | null {
  return value === null || value === undefined || typeof value === "object" ? null : String(value);
}

/** The strings in a value, however deep. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (value !== null && typeof value === "object") return Object.values(value).flatMap(textsOf);
  return [];
}

async function jsonRecords(file: string): Promise<Record<string, unknown>[]> {
  const records: Record<string, unknown>[] = [];
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text.trim() === "") continue;
    try {
      records.push(z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
    } catch (error) {
      throw new TilthError(`${file} line ${line} is no JSON object: ${messageOf(error).split("\n")[0]}`, {
        remedy: "An evaluation set has one JSON object a line.",
      });
    }
  }
  return records;
}

async function parquetRecords(file: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return await (await connection.run(`SELECT * FROM read_parquet(${sqlString(file)})`)).getRowObjectsJS();
  } catch (error) {
    throw new TilthError(`${file} cannot be read: ${messageOf(error)}`, {
      remedy: "Is it a Parquet file?",
      cause: error,
    });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
