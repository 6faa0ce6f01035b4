/** Documents drawn from a store, to be looked at. */
import { z } from "zod";
import { UsageError } from "../../foundation/index.ts";
import { printable } from "../display.ts";
import type { DocumentStore } from "../store/index.ts";

/** Which documents are drawn. */
export interface SampleOptions {
  readonly count: number;
  /** Another seed draws others; the same one always the same. */
  readonly seed: number;
  /** Only kept or only rejected ones; both if left out. */
  readonly kept?: boolean;
  /** Only those whose reason of record contains this. */
  readonly reason?: string;
}

const sampledDocument = z.object({
  id: z.string(),
  source: z.string(),
  path: z.string(),
  kept: z.boolean(),
  reason: z.string().nullable(),
  text: z.string(),
});

/** A drawn document; `text` is its beginning. */
export type SampledDocument = z.infer<typeof sampledDocument>;

/** Draws documents in an order that depends on (seed, id) alone. Throws UsageError where none fits. */
export async function sampleDocuments(store: DocumentStore, options: SampleOptions): Promise<SampledDocument[]> {
  const kept = options.kept === undefined ? "true" : options.kept ? "kept" : "NOT kept";
  const rows = await store.query(
    `SELECT id, source, path, kept, reason, substr(text, 1, 1200) AS text FROM documents
     WHERE ${kept} AND contains(coalesce(reason, ''), $1) ORDER BY sha256($2 || id) LIMIT ${options.count}`,
    [options.reason ?? "", `${options.seed}\n`],
  );
  if (rows.length === 0) {
    throw new UsageError("no document fits", { remedy: "The reasons that occur are in: tilth data report" });
  }
  return z.array(sampledDocument).parse(rows);
}

/** The sample as text: a heading and the first lines of each. */
export function renderSample(documents: readonly SampledDocument[], lines: number): string {
  return documents
    .map(({ id, source, path, kept, reason, text }) => {
      const beginning = text
        .split("\n")
        .slice(0, lines)
        .map((line) => `  | ${printable(line).slice(0, 110)}`);
      return [
        `${id} ${printable(source)} ${printable(path)}: ${kept ? "kept" : `rejected (${reason})`}`,
        ...beginning,
        "",
      ].join("\n");
    })
    .join("\n");
}
