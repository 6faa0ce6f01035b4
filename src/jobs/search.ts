/** What lies nearest to a query: a text, or a picture for a model with two towers. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { type Pooling, poolings } from "../evaluation/index.ts";
import { TilthError, UsageError } from "../foundation/index.ts";
import { openVectors, type SearchHit, type VectorsDescription } from "../retrieval/index.ts";
import { openDevice } from "./device.ts";
import { openEmbedder, requireSameModel } from "./embedder.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface SearchInput {
  readonly vectors: string;
  /** The checkpoint that made them; where they say that it lies if left out. */
  readonly model?: string;
  readonly query: { readonly text: string } | { readonly image: string };
  readonly top: number;
  /** An SQL condition over id, text, source, path and licence. */
  readonly where?: string;
  readonly device: DeviceOptions;
}

export interface SearchOutput {
  readonly description: VectorsDescription;
  /** Rows in the file. */
  readonly rows: number;
  readonly hits: readonly SearchHit[];
}

export const searchJob: Job<SearchInput, never, SearchOutput> = {
  name: "search",
  async run({ vectors, model, query, top, where, device }) {
    const index = await openVectors(vectors);
    try {
      const { description, rows } = index;
      const checkpoint = model ?? description.checkpoint;
      if (!existsSync(checkpoint)) {
        throw new UsageError(`the checkpoint that made the vectors is not at ${checkpoint}`, {
          remedy: "Say where it is with --model.",
        });
      }
      await requireSameModel(checkpoint, description);
      const backend = await openDevice(device, () => {});
      const embedder = openEmbedder(checkpoint, backend, poolingOf(description));
      try {
        let vector: Float32Array;
        if ("text" in query) vector = await embedder.texts([query.text]);
        else if (embedder.images === undefined) {
          throw new UsageError("the model of these vectors sees no pictures", { remedy: "Give a text as the query." });
        } else {
          const pair = { name: basename(query.image), image: { path: query.image }, captions: [""] };
          const found = await embedder.images([pair]);
          if (found.pairs.length === 0) throw new TilthError(`${query.image} cannot be decoded as a picture`);
          vector = found.vectors;
        }
        return { description, rows, hits: await index.nearest(vector, { top, where }) };
      } finally {
        await embedder.close();
        backend.dispose();
      }
    } finally {
      index.close();
    }
  },
};

/** Two towers pool in their own way: for them it decides nothing. */
export function poolingOf({ pooling }: VectorsDescription): Pooling {
  const known = poolings.find((one) => one === pooling);
  if (known === undefined && pooling !== null) throw new TilthError(`pooling "${pooling}" is not known`);
  return known ?? "mean";
}
