/** Labelled pictures as a model with a head reads them. */
import type { ClassifiableExamples } from "../classification.ts";
import type { ImageHead } from "../heads/index.ts";

/** Pictures as numbers, one after the other: [images, 3, size, size]. */
export interface LabelledPictures {
  readonly pixels: Float32Array;
  readonly size: number;
  readonly numbers: Int32Array;
  readonly groups?: readonly string[];
}

/** Examples that the head classifies. */
export function imageExamples(
  head: ImageHead,
  { pixels, size, numbers, groups }: LabelledPictures,
  dropout: (key: number | undefined) => void,
): ClassifiableExamples {
  const each = 3 * size * size;
  return {
    labels: Array.from(numbers, (number) => Int32Array.of(number)),
    ...(groups && { groups }),
    logits(engine, examples, key) {
      dropout(key);
      const some = new Float32Array(examples.length * each);
      examples.forEach((index, row) => void some.set(pixels.subarray(index * each, (index + 1) * each), row * each));
      const tensor = engine.constant(some, [examples.length, 3, size, size]);
      return head.logits(engine, { images: examples.length, pixels: tensor });
    },
  };
}
