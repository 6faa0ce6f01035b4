/** Image-text pairs as batches, decoded ahead of the step; which pair comes when depends on (seed, step) alone. */
import type { Place } from "../cluster/index.ts";
import { Random, TilthError } from "../foundation/index.ts";
import type { AugmentationSettings, ImageLoader, ImageTextPair, LoadedImages } from "../images/index.ts";
import type { TextBatch, TextForm } from "../models/index.ts";
import { type PairBatch, sequencesOfStep } from "../objectives/index.ts";

/** How captions become tokens. */
export interface PairText {
  readonly form: TextForm;
  /** The tokens of a caption, without end-of-text. */
  encode(caption: string): Int32Array;
}

/** Batches decoded before they are asked for. */
const batchesAhead = 2;

/** Keys of what is drawn for a pair of a step, beside (seed, step, slot). */
const [captionKey, viewKey] = [101, 102];

interface Batch {
  readonly pairs: readonly ImageTextPair[];
  readonly captions: readonly string[];
  readonly images: Promise<LoadedImages>;
}

/** The pairs of one split. */
export class PairStream {
  /** Images that could not be decoded so far, with the reason. */
  readonly damaged = new Map<string, string>();
  private readonly ahead = new Map<number, Batch>();

  constructor(
    readonly pairs: readonly ImageTextPair[],
    private readonly loader: ImageLoader,
    readonly imageSize: number,
    private readonly text: PairText,
    /** Which part of every training batch is read here: that of a rank. */
    private readonly share: Place = { rank: 0, size: 1 },
  ) {}

  /** This rank's part of the batch of a step (from 1), augmented; the next ones begin to be decoded. */
  async batchOf(
    step: number,
    batchPairs: number,
    augmentation: AugmentationSettings,
    seed: number,
  ): Promise<PairBatch> {
    for (let next = step; next <= step + batchesAhead; next++) {
      if (!this.ahead.has(next)) this.ahead.set(next, this.begin(next, batchPairs, augmentation, seed));
    }
    const batch = this.ahead.get(step)!;
    this.ahead.delete(step);
    const { pixels, kept } = await this.loaded(batch);
    if (kept.length === 0) {
      throw new TilthError(`none of the ${batchPairs} images of step ${step} could be decoded`, {
        remedy: `The first: ${[...this.damaged].map(([name, reason]) => `${name}: ${reason}`)[0]}`,
      });
    }
    return this.assemble(
      pixels,
      kept.map((slot) => batch.captions[slot]),
    );
  }

  /** The first `limit` pairs as evaluation sees them, those that can be decoded. */
  async wholeBatch(limit: number): Promise<{ batch: PairBatch; pairs: readonly ImageTextPair[] }> {
    const pairs = this.pairs.slice(0, limit);
    const captions = pairs.map((pair) => pair.captions[0]);
    const images = this.loader.load(pairs.map((pair) => ({ pair, keys: [] })));
    const { pixels, kept } = await this.loaded({ pairs, captions, images });
    const texts = kept.map((index) => captions[index]);
    return { batch: this.assemble(pixels, texts), pairs: kept.map((index) => pairs[index]) };
  }

  private begin(step: number, batchPairs: number, augmentation: AugmentationSettings, seed: number): Batch {
    const indices = sequencesOfStep(step, batchPairs, this.pairs.length, seed);
    const count = batchPairs / this.share.size;
    const first = this.share.rank * count;
    // What is drawn for a pair depends on its place in the whole batch.
    const places = indices
      .slice(first, first + count)
      .map((index, i) => ({ pair: this.pairs[index], slot: first + i }));
    const captions = places.map(({ pair: { captions }, slot }) => {
      const random = new Random(seed, captionKey, step, slot);
      const caption = captions.length === 1 ? captions[0] : captions[random.below(captions.length)];
      return augmentation.wordDropout === 0 ? caption : withoutWords(caption, augmentation.wordDropout, random);
    });
    const requests = places.map(({ pair, slot }) => ({ pair, keys: [seed, viewKey, step, slot] }));
    const images = this.loader.load(requests, augmentation);
    const pairs = places.map(({ pair }) => pair);
    // Whoever awaits the batch hears of a failure; until then it must not end the process.
    images.catch(() => {});
    return { pairs, captions, images };
  }

  private async loaded({ images }: Batch): Promise<LoadedImages> {
    const loaded = await images;
    for (const { name, reason } of loaded.damaged) this.damaged.set(name, reason);
    return loaded;
  }

  private assemble(pixels: Float32Array, captions: readonly string[]): PairBatch {
    const texts = textBatchOf(captions, this.text);
    return { pairs: captions.length, pixels, imageSize: this.imageSize, texts };
  }
}

/** A caption without some of its words, but never without all. */
function withoutWords(caption: string, probability: number, random: Random): string {
  const words = caption.split(/\s+/).filter((word) => word !== "");
  const kept = words.filter(() => random.uniform() >= probability);
  return kept.length > 0 || words.length === 0 ? kept.join(" ") : words[random.below(words.length)];
}

/** Captions as one batch: cut to the context, ended, and filled up with end-of-text. */
export function textBatchOf(captions: readonly string[], { form, encode }: PairText): TextBatch {
  const each = captions.map((caption) => encode(caption).subarray(0, form.context - 1));
  const length = form.padToContext ? form.context : Math.max(...each.map((ids) => ids.length)) + 1;
  const tokens = new Int32Array(captions.length * length).fill(form.endOfText);
  each.forEach((ids, row) => {
    tokens.set(ids, row * length);
  });
  return { sequences: captions.length, length, tokens };
}
