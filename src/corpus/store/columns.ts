/** The columns of documents.parquet, and rows to and from them. */
import { DOUBLE, type DuckDBValue, MAP, mapValue, UINTEGER, VARCHAR } from "@duckdb/node-api";
import { z } from "zod";
import { type DocumentRow, documentKinds } from "../document.ts";
import { piiKinds } from "../pii/index.ts";

const measuresType = MAP(VARCHAR, DOUBLE);

/** Names and SQL types, in the order of `rowValues`. `reason` repeats the first rejection for queries. */
export const columns = [
  ["id", "VARCHAR"],
  ["source", "VARCHAR"],
  ["path", "VARCHAR"],
  ["url", "VARCHAR"],
  ["image", "VARCHAR"],
  ["kind", "VARCHAR"],
  ["bytes", UINTEGER.toString()],
  ["licence", "VARCHAR"],
  ["licence_evidence", "VARCHAR"],
  ["licence_confidence", "DOUBLE"],
  ["licence_decision", "VARCHAR"],
  ["licence_rule", "VARCHAR"],
  ["language", "VARCHAR"],
  ["language_score", "DOUBLE"],
  ["second_language", "VARCHAR"],
  ["second_language_score", "DOUBLE"],
  ["measures", measuresType.toString()],
  ["pii", "VARCHAR"],
  ["rejections", "VARCHAR"],
  ["reason", "VARCHAR"],
  ["kept", "BOOLEAN"],
  ["edits", "VARCHAR"],
  ["cluster", "VARCHAR"],
  ["cluster_size", UINTEGER.toString()],
  ["cluster_reason", "VARCHAR"],
  ["split", "VARCHAR"],
  ["text", "VARCHAR"],
] as const;

/** `stage: rule` of the reason of record; undefined for a kept document. */
export function reasonOf(row: Pick<DocumentRow, "rejections">): string | undefined {
  const first = row.rejections[0];
  return first === undefined ? undefined : `${first.stage}: ${first.rule}`;
}

/** A row as values for the columns. */
export function rowValues(row: DocumentRow): DuckDBValue[] {
  return [
    row.id,
    row.source,
    row.path,
    row.url,
    row.image,
    row.kind,
    row.bytes,
    row.licence.expression,
    row.licence.evidence,
    row.licence.confidence,
    row.licenceDecision,
    row.licenceRule,
    row.language,
    row.languageScore,
    row.secondLanguage,
    row.secondLanguageScore,
    mapValue(Object.entries(row.measures).map(([key, value]) => ({ key, value }))),
    JSON.stringify(row.pii),
    JSON.stringify(row.rejections),
    reasonOf(row) ?? null,
    row.kept,
    JSON.stringify(row.edits),
    row.cluster,
    row.clusterSize,
    row.clusterReason,
    row.split,
    row.text,
  ];
}

const kind = z.enum(documentKinds);

const storedRow = z.object({
  id: z.string(),
  source: z.string(),
  path: z.string(),
  url: z.string().nullable(),
  image: z.string().nullable(),
  kind,
  bytes: z.number(),
  licence: z.string(),
  licence_evidence: z.string(),
  licence_confidence: z.number(),
  licence_decision: z.enum(["allow", "attribute", "review", "deny"]),
  licence_rule: z.string(),
  language: z.string(),
  language_score: z.number(),
  second_language: z.string().nullable(),
  second_language_score: z.number().nullable(),
  measures: z.array(z.object({ key: z.string(), value: z.number() })),
  pii: z.string(),
  rejections: z.string(),
  kept: z.boolean(),
  edits: z.string(),
  cluster: z.string(),
  cluster_size: z.number(),
  cluster_reason: z.string(),
  split: z.enum(["train", "validation"]).nullable(),
  text: z.string(),
});

const storedPii = z.array(
  z.object({ kind: z.enum(piiKinds), start: z.number(), end: z.number(), originalLength: z.number() }),
);

const storedRejections = z.array(
  z.object({
    stage: z.string(),
    rule: z.string(),
    value: z.union([z.number(), z.string()]).optional(),
    expected: z.string().optional(),
  }),
);

const storedEdits = z.array(
  z.object({
    stage: z.string(),
    spans: z.array(z.tuple([z.number(), z.number()])),
    glue: z.string(),
    reason: z.string().optional(),
  }),
);

/** A row from the columns' values as DuckDB gives them. */
export function rowFrom(values: unknown): DocumentRow {
  const row = storedRow.parse(values);
  return {
    id: row.id,
    text: row.text,
    source: row.source,
    path: row.path,
    url: row.url,
    image: row.image,
    kind: row.kind,
    bytes: row.bytes,
    licence: { expression: row.licence, evidence: row.licence_evidence, confidence: row.licence_confidence },
    licenceDecision: row.licence_decision,
    licenceRule: row.licence_rule,
    language: row.language,
    languageScore: row.language_score,
    secondLanguage: row.second_language,
    secondLanguageScore: row.second_language_score,
    measures: Object.fromEntries(row.measures.map(({ key, value }) => [key, value])),
    pii: storedPii.parse(JSON.parse(row.pii)),
    rejections: storedRejections.parse(JSON.parse(row.rejections)),
    kept: row.kept,
    edits: storedEdits.parse(JSON.parse(row.edits)),
    cluster: row.cluster,
    clusterSize: row.cluster_size,
    clusterReason: row.cluster_reason,
    split: row.split,
  };
}

/** A document as training and tokenizers read it. */
export const streamedDocument = z.object({
  id: z.string(),
  text: z.string(),
  source: z.string(),
  path: z.string(),
  kind,
  bytes: z.number(),
  /** The value of `groupBy`, where it was asked for. */
  group: z.string().optional(),
});

export type StreamedDocument = z.infer<typeof streamedDocument>;
