/** Cases of a behaviour: what was asked, what was wanted, what came instead. */
import { z } from "zod";
import { TilthError, unknownKeys } from "../../foundation/index.ts";

const written = z.string().min(1);

const continuation = z.strictObject(
  { prompt: z.string(), wanted: written, unwanted: written },
  { error: unknownKeys("field of a case", ["prompt", "wanted", "unwanted"]) },
);
const classification = z.strictObject(
  { text: written, label: written },
  { error: unknownKeys("field of a case", ["text", "label"]) },
);

/** A continuation that was wanted and one that was not; both are scored with the token that ends them. */
export type ContinuationCase = z.infer<typeof continuation>;
/** A text and the class that it should get. */
export type ClassificationCase = z.infer<typeof classification>;
export type DiagnosisCase = ContinuationCase | ClassificationCase;

export const isClassification = (one: DiagnosisCase): one is ClassificationCase => "label" in one;

/** The text of a case that a corpus is searched for. */
export const textOf = (one: DiagnosisCase): string => (isClassification(one) ? one.text : `${one.prompt}${one.wanted}`);

/** Checks rows of a file. Throws TilthError naming the row: all must be of one kind, and there must be some. */
export function parseCases(rows: readonly unknown[], file: string): DiagnosisCase[] {
  if (rows.length === 0)
    throw new TilthError(`${file} holds no cases`, {
      remedy: "Give rows of prompt, wanted, unwanted; or of text, label.",
    });
  const kind = typeof rows[0] === "object" && rows[0] !== null && "label" in rows[0] ? classification : continuation;
  return rows.map((row, index) => {
    const parsed = kind.safeParse(row);
    if (parsed.success) return parsed.data;
    const [{ path, message }] = parsed.error.issues;
    throw new TilthError(`${file}, row ${index + 1}: ${[...path, message].join(": ")}`, {
      remedy: "All rows are of one kind: prompt, wanted, unwanted; or text, label.",
    });
  });
}
