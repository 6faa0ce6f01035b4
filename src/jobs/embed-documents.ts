/** Documents of a corpus, texts or pictures as a Parquet file of vectors. */
import { basename } from "node:path";
import { openDocumentStore } from "../corpus/index.ts";
import type { Pooling } from "../evaluation/index.ts";
import { hashOf, InterruptedError, type Progress, UsageError } from "../foundation/index.ts";
import { type ImageTextPair, readPairs } from "../images/index.ts";
import { type VectorRow, writeVectors } from "../retrieval/index.ts";
import { openDevice } from "./device.ts";
import { type Embedder, modelDigest, openEmbedder } from "./embedder.ts";
import type { DeviceOptions, Job, JobContext } from "./job.ts";
import { recordEmbeddings } from "./record-lineage.ts";

export interface EmbedDocumentsInput {
  readonly checkpoint: string;
  /** A store's folder (of its kept documents), a folder of pictures, or texts with the file that they are from. */
  readonly of:
    | { readonly corpus: string }
    | { readonly images: string }
    | { readonly texts: readonly string[]; readonly file?: string };
  readonly out: string;
  readonly pooling: Pooling;
  readonly device: DeviceOptions;
}

export interface EmbedDocumentsOutput {
  readonly rows: number;
  readonly width: number;
  /** Pictures that could not be decoded. */
  readonly damaged: number;
}

/** Documents that are embedded together, those of like length in one pass; pictures likewise. */
const [togetherDocuments, togetherImages] = [512, 64];
/** Characters of a text that the file keeps to show. */
const excerptCharacters = 500;

export const embedDocumentsJob: Job<EmbedDocumentsInput, Progress, EmbedDocumentsOutput> = {
  name: "embed-documents",
  async run(input, context) {
    const backend = await openDevice(input.device, () => {});
    const embedder = openEmbedder(input.checkpoint, backend, input.pooling);
    try {
      return await embedDocuments(input, embedder, context);
    } finally {
      await embedder.close();
      backend.dispose();
    }
  },
};

/** Writes the file and its record. Throws InterruptedError, with nothing written, where it is asked to stop. */
export async function embedDocuments(
  { checkpoint, of, out }: Pick<EmbedDocumentsInput, "checkpoint" | "of" | "out">,
  embedder: Embedder,
  context: Context,
): Promise<EmbedDocumentsOutput> {
  const damaged = { count: 0 };
  const rows =
    "corpus" in of
      ? corpusRows(of.corpus, embedder, context)
      : "images" in of
        ? imageRows(of.images, checkpoint, embedder, context, damaged)
        : textRows(of.texts, embedder, context);
  const { width, pooling } = embedder;
  const model = await modelDigest(checkpoint);
  const kind = "images" in of ? ("images" as const) : ("texts" as const);
  const count = await writeVectors(out, { checkpoint, model, of: kind, pooling, normalized: true, width }, rows);
  await recordEmbeddings(checkpoint, out, of, { rows: count, width, pooling });
  return { rows: count, width, damaged: damaged.count };
}

type Context = Pick<JobContext<Progress>, "emit" | "shouldStop">;

async function* corpusRows(folder: string, embedder: Embedder, context: Context): AsyncGenerator<VectorRow> {
  const store = await openDocumentStore(folder);
  try {
    const total = store.manifest.counts.kept;
    let done = 0;
    const documents = store.documents({ kept: true, groupBy: "licence" });
    for await (const some of batchesOf(documents, togetherDocuments)) {
      const vectors = await embedder.texts(some.map(({ text }) => text));
      for (const [row, { id, text, source, path, group }] of some.entries()) {
        const shown = { id, text: excerptOf(text), source, path, licence: group ?? null };
        yield { ...shown, vector: rowOf(vectors, row, embedder) };
      }
      done += some.length;
      report(context, done, total, "documents");
    }
  } finally {
    store.close();
  }
}

async function* textRows(texts: readonly string[], embedder: Embedder, context: Context): AsyncGenerator<VectorRow> {
  for (let first = 0; first < texts.length; first += togetherDocuments) {
    const some = texts.slice(first, first + togetherDocuments);
    const vectors = await embedder.texts(some);
    for (const [row, text] of some.entries()) {
      const shown = { id: hashOf(text), text: excerptOf(text), source: "texts", path: `${first + row}`, licence: null };
      yield { ...shown, vector: rowOf(vectors, row, embedder) };
    }
    report(context, first + some.length, texts.length, "texts");
  }
}

async function* imageRows(
  path: string,
  checkpoint: string,
  embedder: Embedder,
  context: Context,
  damaged: { count: number },
): AsyncGenerator<VectorRow> {
  if (embedder.images === undefined) {
    throw new UsageError(`${checkpoint} sees no pictures: it has no image tower`, {
      remedy: "Give a checkpoint of the contrastive objective.",
    });
  }
  // Only names and captions; pixels come in parts.
  const { pairs } = readPairs(path, { template: "{class}" });
  for (let first = 0; first < pairs.length; first += togetherImages) {
    const some: readonly ImageTextPair[] = pairs.slice(first, first + togetherImages);
    const found = await embedder.images(some);
    damaged.count += some.length - found.pairs.length;
    for (const [row, { name, captions }] of found.pairs.entries()) {
      const shown = { id: hashOf(name), text: captions[0] ?? "", source: basename(path), path: name, licence: null };
      yield { ...shown, vector: rowOf(found.vectors, row, embedder) };
    }
    report(context, first + some.length, pairs.length, "pictures");
  }
}

const excerptOf = (text: string) => (text.length <= excerptCharacters ? text : `${text.slice(0, excerptCharacters)}…`);

const rowOf = (vectors: Float32Array, row: number, { width }: Embedder) =>
  vectors.subarray(row * width, (row + 1) * width);

function report({ emit, shouldStop }: Context, done: number, total: number, unit: string): void {
  emit({ stage: "embedding", done, total, unit });
  if (shouldStop()) throw new InterruptedError("stopped; nothing was written");
}

async function* batchesOf<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<Item[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
