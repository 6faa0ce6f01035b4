/** Retrieval and zero-shot classification of a checkpoint on images with captions. */
import { classifyZeroShot, meanDirection, promptsOf, type ZeroShotResult } from "../evaluation/index.ts";
import { bootstrapMean, type Estimate, TilthError } from "../foundation/index.ts";
import { classTemplate, ImageLoader, readPairs } from "../images/index.ts";
import { embedPairs, type RecallResult, retrieval } from "../objectives/index.ts";
import { PairStream, textBatchOf } from "../training/index.ts";
import { openDevice } from "./device.ts";
import { type LoadedImageTextModel, loadImageTextModel } from "./image-text-model.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface EvaluatePairsInput {
  readonly checkpoint: string;
  readonly images: { readonly path: string; readonly template?: string };
  /** Names of the pairs to evaluate on; all if left out. */
  readonly names?: readonly string[];
  /** Sentences of zero-shot classification, with {class}; CLIP's kind if left out. */
  readonly templates?: readonly string[];
  readonly device: DeviceOptions;
}

/** A direction of retrieval without its single ranks, with the interval of recall@1. */
export type RecallFigures = Omit<RecallResult, "ranks"> & { readonly interval: Estimate["interval"] };

export interface EvaluatePairsOutput {
  readonly pairs: number;
  readonly damaged: number;
  readonly imageToText: RecallFigures;
  readonly textToImage: RecallFigures;
  /** Null where the set names no classes, or only one. */
  readonly zeroShot: ZeroShotResult | null;
}

/** Pairs that pass through the towers at a time. */
const batchPairs = 64;

export const evaluatePairsJob: Job<EvaluatePairsInput, { warning: string }, EvaluatePairsOutput> = {
  name: "evaluate-pairs",
  async run(input, { emit }) {
    const { pairs: all } = readPairs(input.images.path, { template: input.images.template ?? classTemplate });
    const wanted = input.names && new Set(input.names);
    const pairs = wanted === undefined ? all : all.filter(({ name }) => wanted.has(name));
    if (pairs.length === 0) throw new TilthError(`${input.images.path} holds none of the pairs to evaluate on`);
    const backend = await openDevice(input.device, (warning) => emit({ warning }));
    const loaded = loadImageTextModel(input.checkpoint, backend);
    const loader = new ImageLoader(loaded.images);
    try {
      const stream = new PairStream(pairs, loader, loaded.images.size, loaded.text);
      const whole = await stream.wholeBatch(pairs.length);
      if (whole.pairs.length === 0) throw new TilthError(`${input.images.path}: no image could be decoded`);
      const embeddings = await embedPairs(loaded.engine, loaded.model, whole.batch, batchPairs);
      const captions = whole.pairs.map((pair) => pair.captions[0]);
      const found = await retrieval(loaded.engine, embeddings, captions);
      const labels = whole.pairs.map((pair) => pair.class);
      return {
        pairs: whole.pairs.length,
        damaged: stream.damaged.size,
        imageToText: figures(found.imageToText),
        textToImage: figures(found.textToImage),
        zeroShot: await zeroShot(input, loaded, embeddings.images, labels),
      };
    } finally {
      await loader.close();
      loaded.model.dispose();
      backend.dispose();
    }
  },
};

function figures({ ranks, ...rest }: RecallResult): RecallFigures {
  const { interval } = bootstrapMean(Array.from(ranks, (rank) => (rank === 0 ? 1 : 0)));
  return { ...rest, interval };
}

async function zeroShot(
  { templates }: EvaluatePairsInput,
  { engine, model, text }: LoadedImageTextModel,
  images: Float32Array,
  labels: readonly (string | undefined)[],
): Promise<ZeroShotResult | null> {
  const known = [...labels.keys()].filter((index) => labels[index] !== undefined);
  const classes = [...new Set(known.map((index) => labels[index]!))].sort();
  if (classes.length < 2) return null;
  const width = images.length / labels.length;
  const prototypes = new Map<string, Float32Array>();
  for (const name of classes) {
    const prompts = promptsOf(name, templates);
    const embedded = await engine.scope({ record: false }, () =>
      engine.backend.read(model.embedTexts(engine, textBatchOf(prompts, text)).tensor),
    );
    prototypes.set(name, meanDirection(embedded, width));
  }
  const rows = new Float32Array(known.length * width);
  known.forEach((index, row) => {
    rows.set(images.subarray(index * width, (index + 1) * width), row * width);
  });
  return classifyZeroShot(
    rows,
    known.map((index) => labels[index]!),
    prototypes,
  );
}
