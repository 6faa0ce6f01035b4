/** corpus.json: what a document store is, beside its rows. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TilthError } from "../../foundation/index.ts";

export const manifestName = "corpus.json";
export const documentsName = "documents.parquet";

/** Whether a file of a store's folder holds rows; a take-down writes them under a name of their own. */
export function isDocumentsFile(name: string): boolean {
  return /^documents(-[0-9a-f]{12})?\.parquet$/.test(name);
}

/** What others keep in a store's folder: the record of where it comes from, and the list of its raw files. */
export const companionNames: readonly string[] = ["lineage.json", "sources.sha256"];

const count = z.int().min(0);

export const corpusCounts = z.object({
  documents: count,
  kept: count,
  /** By the reason of record, `stage: rule`; the first rule that spoke against a document. */
  rejectedByReason: z.record(z.string(), count),
  bytes: count,
  keptBytes: count,
});

/** Documents and bytes of a build; bytes are UTF-8 lengths of the normal form. */
export type CorpusCounts = z.infer<typeof corpusCounts>;

export const corpusManifest = z.object({
  format: z.literal("tilth-corpus"),
  version: z.literal(1),
  /** Hash of the settings, the documents and the code's version. */
  key: z.string(),
  tilth: z.string(),
  counts: corpusCounts,
  /** Files that no reader took, by reason. */
  skipped: z.record(z.string(), count),
  settings: z.record(z.string(), z.unknown()),
  file: z.object({ name: z.string().refine(isDocumentsFile), bytes: count, sha256: z.string() }),
});

export type CorpusManifest = z.infer<typeof corpusManifest>;

export const rebuildRemedy = "Build the corpus again; unchanged documents come from its cache.";

/** The manifest of the store in `folder`; throws TilthError where there is none or it is damaged. */
export function readManifest(folder: string): CorpusManifest {
  const file = join(folder, manifestName);
  if (!existsSync(file)) {
    throw new TilthError(`there is no corpus in ${folder}: ${manifestName} is missing`, {
      remedy: "Build one first, or name the folder that holds it.",
    });
  }
  try {
    return corpusManifest.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new TilthError(`${file} is damaged or of another version: ${messageOf(error).split("\n")[0]}`, {
      remedy: rebuildRemedy,
      cause: error,
    });
  }
}
