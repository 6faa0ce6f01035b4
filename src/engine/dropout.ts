/** What both backends make of a dropout probability, so that they drop the same elements. */

/** Elements whose 24 random bits are below `limit` are dropped, the others multiplied by `factor`. */
export function dropoutConstants(probability: number): { readonly limit: number; readonly factor: number } {
  if (!(probability >= 0 && probability < 1)) {
    throw new RangeError(`dropout: a probability is in [0, 1), not ${probability}`);
  }
  return { limit: Math.round(probability * 2 ** 24), factor: Math.fround(1 / (1 - probability)) };
}
