/** What the stages of a run write down of where their results come from. */
import { resolve } from "node:path";
import {
  buildCorpus,
  type CorpusBuild,
  type CorpusBuildOptions,
  mergeParts,
  parseEvaluationSets,
} from "../corpus/index.ts";
import { canonicalJson, hashOf, type WorkOptions } from "../foundation/index.ts";
import {
  type Activity,
  readRecord,
  recordTextFor,
  replaceRecord,
  writeRecord,
  writeSources,
} from "../lineage/index.ts";
import { checkpointPath } from "../training/index.ts";
import type { EmbedDocumentsInput } from "./embed-documents.ts";
import type { ExportInput } from "./export.ts";
import type { RunDescription } from "./run-folder.ts";

/** Builds a corpus as `buildCorpus` does, and records the raw files that it comes from. */
export async function buildRecordedCorpus(options: CorpusBuildOptions): Promise<CorpusBuild> {
  return record(options, (onSources) => buildCorpus({ ...options, onSources }));
}

/** Joins the parts of a build as `mergeParts` does, and records the raw files that it comes from. */
export async function mergeRecordedParts(
  folder: string,
  options: WorkOptions & Pick<CorpusBuildOptions, "workers"> = {},
): Promise<CorpusBuild> {
  return record(options, (onSources) => mergeParts(folder, { ...options, onSources }));
}

type OnSources = NonNullable<CorpusBuildOptions["onSources"]>;

async function record(
  { onProgress, ...options }: WorkOptions & Pick<CorpusBuildOptions, "against" | "evaluationSets" | "baseFolder">,
  work: (onSources: OnSources) => Promise<CorpusBuild>,
): Promise<CorpusBuild> {
  let raw: Parameters<OnSources>[0] | undefined;
  const build = await work((sources) => {
    raw = sources;
  });
  const known = build.reused ? readRecord(build.folder) : undefined;
  if (known?.activity.details.key === build.key) return build;
  const base = options.baseFolder ?? ".";
  await writeRecord(build.folder, {
    kind: "corpus",
    command: "data build",
    details: { key: build.key, documents: build.documents, kept: build.kept },
    used: [
      ...(await writeSources(build.folder, raw!.sources, raw!.files, onProgress)),
      ...(options.against ?? []).map((path) => ({
        ...{ role: "trained on before", kind: "corpus" as const, path: resolve(base, path) },
      })),
      ...parseEvaluationSets(options.evaluationSets ?? []).map(({ name, path }) => ({
        ...{ role: `evaluation set ${name}`, kind: "data" as const, path: resolve(base, path) },
      })),
    ],
  });
  return build;
}

/** What a record of token shards says. `tokenizer`: the file that was given, if one was. */
export function shardsActivity(corpus: string, tokenizer: string | undefined, details: Activity["details"]): Activity {
  return {
    kind: "shards",
    command: "data mix",
    details,
    used: [
      { role: "corpus", kind: "corpus", path: corpus },
      ...(tokenizer === undefined ? [] : [{ role: "tokenizer", kind: "tokenizer" as const, path: tokenizer }]),
    ],
  };
}

/** The record that every checkpoint of a run carries. `data`: what it is trained on, and a checkpoint it starts from. */
export function checkpointRecord(
  runFolder: string,
  { model, training, objective }: Pick<RunDescription, "model" | "training" | "objective">,
  used: Activity["used"],
): Promise<string> {
  const { steps, seed } = training;
  return recordTextFor(checkpointPath(runFolder, 0), {
    kind: "checkpoint",
    command: "train",
    details: {
      ...{ objective: objective.kind, architecture: model.architecture, steps, seed },
      settings: hashOf(canonicalJson({ model, training, objective })),
    },
    used,
  });
}

/** Records a finished export. */
export async function recordExport({ checkpoint, out, to, type }: ExportInput): Promise<void> {
  const used = [{ role: "checkpoint", kind: "checkpoint" as const, path: checkpoint }];
  await writeRecord(out, { kind: "export", command: "export", details: { to, type }, used });
}

/** Records a file of vectors: the checkpoint that made them, and what of. */
export async function recordEmbeddings(
  checkpoint: string,
  out: string,
  of: EmbedDocumentsInput["of"],
  details: Activity["details"],
): Promise<void> {
  const data =
    "corpus" in of
      ? { role: "corpus", kind: "corpus" as const, path: of.corpus }
      : "images" in of
        ? { role: "pictures", kind: "images" as const, path: of.images }
        : of.file && { role: "texts", kind: "data" as const, path: of.file };
  const used = [{ role: "checkpoint", kind: "checkpoint" as const, path: checkpoint }, ...(data ? [data] : [])];
  await writeRecord(out, { kind: "embeddings", command: "embed", details, used });
}

/** Records that documents were taken down from a corpus and its shards; what has no record gets none. */
export async function recordTakedown(
  places: { readonly store: string; readonly shards?: string },
  documents: number,
): Promise<void> {
  for (const path of [places.store, places.shards]) {
    if (path !== undefined) await replaceRecord(path, { command: "data takedown", details: { documents } });
  }
}
