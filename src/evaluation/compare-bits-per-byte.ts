/** Two models on the same documents, in bits per byte: comparable whatever their tokenizers. */
import { bootstrap, type Estimate } from "../foundation/index.ts";
import type { DocumentScores } from "./bits-per-byte.ts";

/** A comparison; intervals are 95 % bootstrap intervals over documents, both models on the same resamples. */
export interface ComparedBitsPerByte {
  readonly first: Estimate;
  readonly second: Estimate;
  /** second − first */
  readonly difference: Estimate;
  /** second / first − 1 */
  readonly relative: Estimate;
}

/** Compares scores of the same documents in the same order. Throws RangeError where they are not. */
export function compareBitsPerByte(
  first: Pick<DocumentScores, "bits" | "bytes">,
  second: Pick<DocumentScores, "bits" | "bytes">,
  seed = 1,
): ComparedBitsPerByte {
  const { length } = first.bytes;
  if (length !== second.bytes.length || first.bytes.some((bytes, i) => bytes !== second.bytes[i])) {
    throw new RangeError("the two were not scored on the same documents");
  }
  return bootstrap(
    [length],
    ([occurrences]) => {
      const total = (values: Float64Array) => values.reduce((sum, value, item) => sum + value * occurrences[item], 0);
      const bytes = total(first.bytes);
      const [a, b] = [total(first.bits) / bytes, total(second.bits) / bytes];
      return { first: a, second: b, difference: b - a, relative: b / a - 1 };
    },
    seed,
  );
}
