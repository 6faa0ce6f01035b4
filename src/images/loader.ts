/** Batches of images, decoded by worker threads while the caller does something else. */
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { workerFile } from "../foundation/index.ts";
import type { DecodeResult, DecodeTask } from "./decode-task.ts";
import type { ImageTextPair, SkippedPair } from "./pairs.ts";
import type { AugmentationSettings, ImageSettings } from "./transform.ts";

/** A pair in a batch. `keys` decide its augmentation. */
export interface ImageRequest {
  readonly pair: ImageTextPair;
  readonly keys: readonly number[];
}

/** The images of a batch that could be decoded. */
export interface LoadedImages {
  /** [kept.length, 3, size, size], normalised. */
  readonly pixels: Float32Array;
  /** Positions in the request. */
  readonly kept: readonly number[];
  readonly damaged: readonly SkippedPair[];
}

/** Images of a worker's task: enough to be worth the message, few enough that all workers have some. */
const share = 32;

/** Decodes on worker threads of its own; `close` ends them. */
export class ImageLoader {
  private readonly pool: Piscina<DecodeTask, DecodeResult>;

  constructor(
    private readonly settings: ImageSettings,
    workers: number = Math.max(1, availableParallelism() >> 1),
  ) {
    this.pool = new Piscina({ filename: workerFile("image-worker"), minThreads: 1, maxThreads: workers });
  }

  /** The images of the requests, augmented if settings for that are given. Damaged ones are left out and named. */
  async load(requests: readonly ImageRequest[], augmentation?: AugmentationSettings): Promise<LoadedImages> {
    const shares = Array.from({ length: Math.ceil(requests.length / share) }, (_, index) =>
      requests.slice(index * share, (index + 1) * share),
    );
    const results = await Promise.all(
      shares.map((some) => {
        const images = some.map(({ pair, keys }) => ({ reference: pair.image, keys }));
        return this.pool.run({ images, settings: this.settings, augmentation });
      }),
    );
    const pixels = new Float32Array(results.reduce((sum, one) => sum + one.pixels.length, 0));
    const kept: number[] = [];
    const damaged: SkippedPair[] = [];
    let filled = 0;
    results.forEach((result, index) => {
      pixels.set(result.pixels, filled);
      filled += result.pixels.length;
      const reasons = new Map(result.damaged.map(({ position, reason }) => [position, reason]));
      shares[index].forEach(({ pair }, position) => {
        const reason = reasons.get(position);
        if (reason === undefined) kept.push(index * share + position);
        else damaged.push({ name: pair.name, reason });
      });
    });
    return { pixels, kept, damaged };
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }
}
