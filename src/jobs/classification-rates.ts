/** How fast a classification head and the model below it learn, where the user does not say. */
import { readModelConfiguration } from "../training/index.ts";

/**
 * A head starts from nothing beside weights that know much. An encoder's states are near what a head needs: it moves little. The
 * last token's state of a decoder was made to foretell the next one: it must move as far as the head.
 */
export function classificationRates(
  checkpoint: string,
  fromScratch: boolean,
): { readonly learningRate: number; readonly headLearningRateFactor: number } {
  return fromScratch || isDecoder(checkpoint)
    ? { learningRate: 1e-3, headLearningRateFactor: 1 }
    : { learningRate: 2e-4, headLearningRateFactor: 10 };
}

/** Whether a folder's model reads from left to right; what is no language model, or none at all, is told of when it is loaded. */
function isDecoder(checkpoint: string): boolean {
  try {
    return readModelConfiguration(checkpoint).architecture.family === "decoder";
  } catch {
    return false;
  }
}
